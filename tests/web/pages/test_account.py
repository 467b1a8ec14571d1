"""The signed-in person's own account: the time zone of the pages."""

import re
from datetime import UTC, datetime

from flask import Flask, g
from flask.testing import FlaskClient

from engine.access import accounts
from models.session import transaction
from tests.web.pages import visitors
from web.pages.frame import languages


def test_moments_are_in_the_time_zone_of_the_account(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin", path="/app/account")
    form = {"csrf_token": visitors.token(page), "language": "es", "theme": ""}
    assert re.search(r"Contado el .+ UTC|UTC\.", client.get("/app/").text)
    assert client.post("/app/account/preferences", data=form | {"timezone": "america/bogota"}).status_code == 303
    assert "America/Bogota" in client.get("/app/").text and "America/Bogota" in client.get("/app/account").text
    refused = client.post("/app/account/preferences", data=form | {"timezone": "Madrid"})
    assert (
        refused.status_code == 422
        and "¿quiso decir Europe/Madrid?" in refused.text
        and 'value="Madrid"' in refused.text
    )
    client.post("/app/account/preferences", data=form | {"timezone": " "})
    with transaction() as session:
        assert accounts.listing(session)[0].timezone is None


def test_a_campaigns_own_zone_goes_before_that_of_the_account(app: Flask, client: FlaskClient) -> None:
    visitors.visit(client, "ana", "admin")
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert languages.moment(at) == "1 Jul 2026, 12:00 UTC"
        with transaction() as session:
            profile = accounts.listing(session)[0]
            accounts.set_preferences(session, profile.id, language=None, theme=None, timezone="Asia/Tokyo")
            g.account = accounts.get(session, profile.id)
        assert languages.moment(at) == "1 Jul 2026, 21:00 Asia/Tokyo"
        assert languages.moment(at, "Europe/Madrid") == "1 Jul 2026, 14:00 Europe/Madrid"
