"""The page of the calendar."""

import re

import pytest
from flask.testing import FlaskClient

from engine import clock, figures
from engine.campaigns import campaigns
from models.session import transaction
from tests import sequence
from tests.web.pages import visitors


def test_a_day_leads_to_its_campaigns_and_months_to_their_neighbours(client: FlaskClient) -> None:
    now = clock.now()
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session, "Oto<ño>")
        campaigns.launch(session, campaign_id, now=now)
        sequence.send_due(session, now=now)
    page = visitors.visit(client, "ana", "reports", path="/app/calendar")
    assert "3 enviados, 0 previstos" in page.text and 'aria-current="page">Calendario' in page.text
    day = client.get(f"/app/calendar?month={now:%Y-%m}&day={now:%Y-%m-%d}").text
    assert f'/app/campaigns/{campaign_id}">Oto&lt;ño&gt;' in day and 'data-label="Enviados">3<' in day
    before, after = re.findall(r"calendar\?month=(\d{4}-\d{2})\"", page.text)
    assert before < f"{now:%Y-%m}" < after
    assert "Nada en este día" in client.get(f"/app/calendar?month={before}&day={before}-05").text


@pytest.mark.parametrize("query", ["month=x", "month=0001-01", "month=9999-12", "day=<b>", "day=2026-02-30"])
def test_a_month_that_is_none_or_far_away_is_the_nearest_one(client: FlaskClient, query: str) -> None:
    visitors.visit(client, "ana", "reports", path=f"/app/calendar?{query}")
    with transaction() as session:
        names = figures.overdue(session, now=clock.now())
    assert len([name for name in names if name.startswith("calendar")]) <= 2


def test_it_is_for_who_may_see_campaigns(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "contacts", path="/app/account")
    assert client.get("/app/calendar").status_code == 403
