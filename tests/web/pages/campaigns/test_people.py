"""The pages of the people behind the numbers of a campaign."""

from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import text

from engine import figures
from engine.campaigns import campaigns, stops
from models.session import transaction
from tests import sequence
from tests.sequence import NOW
from tests.web.pages import visitors


def _campaign() -> UUID:
    with transaction() as session:
        contacts = sequence.people(session, 60)
        campaign_id = sequence.create(session)
        campaigns.launch(session, campaign_id, now=NOW)
        sequence.send_due(session, now=NOW)
        stops.stop(session, contacts[:1], "replied", now=NOW)
        session.execute(text("UPDATE contacts SET first_name = '<script>', last_name = :name"), {"name": "😀" * 100})
        figures.refresh(session, figures.name_of(campaign_id), now=NOW)
    return campaign_id


def test_each_number_leads_to_its_people_and_each_of_them_to_their_page(client: FlaskClient) -> None:
    path = f"/app/campaigns/{_campaign()}"
    page = visitors.visit(client, "ana", "campaigns", "contacts", path=path).text
    for link in ("steps/1/sent", "contacts/enrolled", "contacts/running", "contacts/stopped?reason=replied"):
        assert f'href="{path}/{link}"' in page, link
    assert "/steps/1/opened" not in page  # nobody
    first = client.get(f"{path}/steps/1/sent").text
    assert first.count("/app/contacts/0") == 50 and "&lt;script&gt; 😀" in first and "<script> " not in first
    after = first.partition("?after=")[2].partition('"')[0]
    assert client.get(f"{path}/steps/1/sent?after={after}").text.count("/app/contacts/0") == 10
    assert "el contacto respondió" in client.get(f"{path}/contacts/stopped?reason=replied").text
    assert client.get(f"{path}/steps/1/sent?after=x").status_code == 422
    for unknown in ("/steps/1/dreamt", "/contacts/asleep"):
        assert client.get(path + unknown).status_code == 404


def test_without_the_scope_numbers_are_plain_and_the_lists_refused(client: FlaskClient) -> None:
    path = f"/app/campaigns/{_campaign()}"
    assert "/steps/1/sent" not in visitors.visit(client, "ana", "campaigns", path=path).text
    for link in ("/steps/1/sent", "/contacts/stopped"):
        assert client.get(path + link).status_code == 403
