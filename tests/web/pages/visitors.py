"""People who sign in to the pages, by Flask's client."""

import re
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import Any
from uuid import UUID

import jwt
from flask.testing import FlaskClient
from sqlalchemy import update

from engine.access import accounts, bearer_tokens, passwords
from models import Account
from models.session import transaction

PASSWORD = "a password of the tests"


@cache
def _hash() -> str:
    return passwords.hashed(PASSWORD)


def create(name: str, *scopes: str) -> None:
    """Create an account with `PASSWORD`."""
    with transaction() as session:
        session.add(Account(name=name, password_hash=_hash(), scopes=sorted(scopes)))


def grant(name: str, *scopes: str) -> None:
    """Give the account these scopes instead of its own."""
    with transaction() as session:
        session.execute(update(Account).where(Account.name == name).values(scopes=sorted(scopes)))


def sign_in(client: FlaskClient, name: str, *, password: str = PASSWORD, wanted: str = "", **options: Any) -> Any:
    """Send the form of the sign-in page."""
    data = {"account": name, "password": password, "next": wanted}
    return client.post("/app/sign-in", data=data, **options)


def visit(client: FlaskClient, name: str, *scopes: str, path: str = "/app/") -> Any:
    """Create an account, give the client a session of it, and return the page at `path`."""
    create(name, *scopes)
    with transaction() as session:
        profile = next(each for each in accounts.listing(session) if each.name == name)
    client.set_cookie("cadencia", bearer_tokens.issue_session(profile, now=datetime.now(UTC)))
    answer = client.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return answer


def upload(client: FlaskClient) -> UUID:
    """Upload a file of contacts, which is checked and not imported yet; return the id of the import."""
    rows = "".join(f"persona{n}@bodega.example;Marta {n};Bodegas del Duero;compras;feria\n" for n in range(8))
    form = {"csrf_token": token(client.get("/app/contacts/import"))}
    file = (BytesIO(f"Correo;Nombre;Empresa;Cargo;Origen\n{rows}sin arroba;Eva;;;\n".encode()), "feria.csv")
    answer = client.post("/app/contacts/import", data={**form, "file": file}, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text[:500]
    return UUID(answer.location.rpartition("/")[2])


def token(page: Any) -> str:
    """Return the value that the forms of the page repeat."""
    return re.findall('name="csrf_token" value="([^"]+)"', page.text)[0]


def claims(client: FlaskClient) -> dict[str, Any]:
    """Return the claims of the client's session."""
    cookie = client.get_cookie("cadencia")
    return jwt.decode(cookie.value, options={"verify_signature": False})
