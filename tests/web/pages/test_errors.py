"""Errors as pages: each is in the reader's language and names the next step."""

import re
from uuid import UUID

from flask.testing import FlaskClient

from models.session import transaction
from tests import sequence
from tests.conftest import environment
from tests.web.pages import visitors

HERE = "http://localhost"


def _launched(client: FlaskClient) -> tuple[str, dict[str, str]]:
    with transaction() as session:
        sequence.people(session, 1)
        campaign_id = sequence.create(session)
    page = visitors.visit(client, "ana", "campaigns", path=f"/app/campaigns/{campaign_id}/launch")
    form = {"csrf_token": visitors.token(page)}
    client.post(f"/app/campaigns/{campaign_id}/launch", data=form)
    return f"/app/campaigns/{campaign_id}/resume", form


def test_a_conflict_says_what_changed_and_leads_back_to_the_page(client: FlaskClient) -> None:
    path, form = _launched(client)
    refused = client.post(path, data=form, headers={"Referer": HERE + path})
    assert refused.status_code == 409
    assert "El estado de la campaña es ahora «en marcha»" in refused.text
    assert f'href="{path}">Volver a la página' in refused.text


def test_an_error_page_leads_back_only_to_pages_of_ours(client: FlaskClient) -> None:
    path, form = _launched(client)
    for referrer in ("", "http://evil.example/app/campaigns", f"{HERE}/app/account/password", f"{HERE}/readyz",
                     f"{HERE}/app//evil.example", "http://[", f"{HERE}/app/campaigns?a=<b>"):  # fmt: skip
        refused = client.post(path, data=form, headers={"Referer": referrer})
        assert refused.status_code == 409 and "<b>" not in refused.text, referrer
        assert ("Volver a la página" in refused.text) == (referrer.endswith("<b>")), referrer


def test_a_refusal_says_which_permission_is_needed_and_who_can_grant_it(client: FlaskClient) -> None:
    visitors.create("eva", "admin")
    visitors.create("programa", "send")
    visitors.visit(client, "ana", "reports", path="/app/account")
    refused = client.get(f"/app/campaigns/{UUID(int=1)}/launch")
    assert refused.status_code == 403
    assert "permisos: campaigns" in refused.text and "concederlo: eva." in refused.text
    assert 'href="/app/campaigns"' in refused.text  # the menu of the person is there
    form = {"csrf_token": visitors.token(refused)}
    assert client.post("/app/sign-out", data=form).status_code == 303  # and its form works


def test_a_forged_form_leaves_a_page_that_works(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "reports", path="/app/account")
    refused = client.post(
        "/app/account/preferences", data={"csrf_token": "x"}, headers={"Referer": f"{HERE}/app/account"}
    )
    assert refused.status_code == 403 and 'href="/app/account">Volver a la página' in refused.text
    assert client.post("/app/sign-out", data={"csrf_token": visitors.token(refused)}).status_code == 303
    assert "El formulario ha caducado" in refused.text and "permiso" not in refused.text


def test_an_address_without_a_page_is_a_page(client: FlaskClient) -> None:
    assert client.get("/app/nowhere").location == "/app/sign-in?next=/app/nowhere"
    visitors.visit(client, "ana", "reports")
    for path in ("/app/nowhere", "/app/account/password", "/app/campaigns/x/y"):
        answer = client.get(path)
        assert answer.status_code == 404 and "Esta página no existe" in answer.text, path
    buttons = re.findall(r'class="btn btn-(\S+)" href="([^"]+)"', answer.text)
    assert buttons == [("primary", "/app/"), ("outline-secondary", "/app/campaigns")]  # the first page, and the section


def test_a_form_that_met_an_outage_is_not_sent_again_by_itself(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "reports", path="/app/account")
    with environment(DATABASE_URL="postgresql://cadencia@127.0.0.1:9/cadencia"):
        answer = client.post("/app/account/preferences", data={"csrf_token": visitors.token(page)})
    assert answer.status_code == 503 and "Refresh" not in answer.headers and answer.headers["Retry-After"] == "5"
    assert "envíe el formulario otra vez" in answer.text


def test_a_grant_and_a_withdrawal_take_effect_in_a_session_at_once(client: FlaskClient) -> None:
    visitors.visit(client, "ana", "reports", path="/app/account")
    assert client.get(f"/app/campaigns/{UUID(int=1)}/launch").status_code == 403
    visitors.grant("ana", "campaigns")
    assert client.get(f"/app/campaigns/{UUID(int=1)}/launch").status_code == 404
    visitors.grant("ana", "send")
    assert client.get("/app/campaigns").status_code == 403
