"""Users: administrators create accounts, change their permissions, passwords and sessions, and close them."""

import html
import re
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient

from engine.access import accounts
from models.session import transaction
from tests.web.pages import visitors

PATH = "/app/users"


def _account(name: str) -> accounts.Profile:
    with transaction() as session:
        return next(account for account in accounts.listing(session) if account.name == name)


def _post(client: FlaskClient, page: Any, path: str, **fields: Any) -> Any:
    return client.post(f"{PATH}/{path}", data={"csrf_token": visitors.token(page), **fields})


def _another(client: FlaskClient, name: str, *scopes: str) -> tuple[UUID, FlaskClient]:
    """Return another account, and a client that is signed in to it."""
    other = client.application.test_client()
    visitors.visit(other, name, *scopes, path="/app/account")
    return _account(name).id, other


def test_a_user_is_created_and_signs_in_with_the_password_that_is_shown_once(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/new")
    created = _post(client, page, "new", name="eva <b>", scopes=["campaigns", "reports"])
    assert created.status_code == 200 and created.headers["Cache-Control"] == "no-store"
    password = html.unescape(re.findall("<code>([^<]+)</code>", created.text)[0])
    assert len(password) == 20 and "eva &lt;b&gt;" in created.text
    signed_in = visitors.sign_in(client.application.test_client(), "eva <b>", password=password)
    assert signed_in.location == "/app/" and _account("eva <b>").scopes == {"campaigns", "reports"}
    listed = client.get(PATH)
    assert password not in listed.text and "eva &lt;b&gt;" in listed.text
    typed = _post(client, page, "new", name="juan", scopes=["send"], password="a typed long password")
    assert "a typed long password" not in typed.text and "usted escribió" in typed.text


def test_faults_of_a_new_user_stand_at_their_fields_and_keep_what_was_typed(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/new")
    refused = _post(client, page, "new", name=" eva", scopes=[], password="short")
    assert refused.status_code == 422 and 'value=" eva"' in refused.text
    for text in ("sin espacios al principio", "elija uno o varios", "de 12 a 1024 caracteres"):
        assert text.casefold() in refused.text.casefold(), text
    named_alike = _post(client, page, "new", name="ana", scopes=["reports"])
    assert named_alike.status_code == 422 and "Otra cuenta ya tiene este nombre" in named_alike.text
    assert re.search(r'value="reports"\s+checked', named_alike.text)
    assert _post(client, page, "new", name="eva", scopes=["root"]).status_code == 422


def test_permissions_hold_at_once_in_sessions(client: FlaskClient) -> None:
    account_id, other = _another(client, "eva", "reports")
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/{account_id}")
    assert other.get("/app/users").status_code == 403 and other.get("/app/campaigns").status_code == 200
    assert _post(client, page, f"{account_id}/scopes", scopes=["send"]).location == f"{PATH}/{account_id}?done=scopes"
    assert other.get("/app/campaigns").status_code == 403
    _post(client, page, f"{account_id}/scopes", scopes=["admin"])
    assert other.get("/app/users").status_code == 200
    assert _post(client, page, f"{account_id}/scopes").status_code == 422  # one at least


def test_the_last_administrator_stays_one(client: FlaskClient) -> None:
    page = visitors.visit(client, "ana", "admin", path=PATH)
    own = _account("ana").id
    refused = _post(client, page, f"{own}/scopes", scopes=["reports"])
    assert refused.status_code == 422 and "Es la última cuenta de administración" in refused.text
    assert _post(client, page, f"{own}/close").status_code == 409
    other_id, _ = _another(client, "eva", "admin")
    assert _post(client, page, f"{other_id}/close").status_code == 303
    assert _post(client, page, f"{own}/close").status_code == 409  # a closed one does not count
    _post(client, page, f"{other_id}/reopen")
    assert _post(client, page, f"{own}/scopes", scopes=["reports"]).status_code == 303
    assert client.get(PATH).status_code == 403


def test_sessions_end_and_an_account_is_closed_and_opened_again(client: FlaskClient) -> None:
    account_id, other = _another(client, "eva", "reports")
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/{account_id}")
    _post(client, page, f"{account_id}/sessions")
    assert other.get("/app/account").status_code == 303
    visitors.sign_in(other, "eva")
    assert other.get("/app/account").status_code == 200
    _post(client, page, f"{account_id}/close")
    assert other.get("/app/account").status_code == 303 and "cerrada" in client.get(PATH).text
    assert visitors.sign_in(other, "eva").status_code == 401
    _post(client, page, f"{account_id}/reopen")
    assert visitors.sign_in(other, "eva").status_code == 303


def test_a_new_password_for_another_account_ends_its_sessions(client: FlaskClient) -> None:
    account_id, other = _another(client, "eva", "reports")
    page = visitors.visit(client, "ana", "admin", path=f"{PATH}/{account_id}")
    assert _post(client, page, f"{account_id}/password", password="short").status_code == 422
    shown = _post(client, page, f"{account_id}/password")
    password = re.findall("<code>([^<]+)</code>", shown.text)[0]
    assert other.get("/app/account").status_code == 303
    assert visitors.sign_in(other, "eva", password=password).status_code == 303
    assert _post(client, page, f"{_account('ana').id}/password").location == "/app/account"
    assert visitors.sign_in(other, "ana").status_code == 303  # the own password is not changed here


def test_users_are_listed_in_pages_by_name(client: FlaskClient) -> None:
    for number in range(51):
        visitors.create(f"cuenta {number:02}", "send")
    page = visitors.visit(client, "ana", "admin", path=PATH)
    [further] = re.findall(rf'href="({PATH}\?after=[^"]+)"', page.text)
    assert "cuenta 48" in page.text and "cuenta 49" not in page.text and "cuenta" not in further
    assert "cuenta 49" in client.get(further).text and "cuenta 50" in client.get(further).text
