"""Fixtures and helpers of the public pages: a sent e-mail, its tokens, and its rows."""

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.tracking import tokens
from models import ids
from models.session import transaction
from tests.sends import NOW
from tests.web.examples import send
from web import process


@pytest.fixture
def email_id(client: FlaskClient, sender: dict[str, str]) -> UUID:
    answer = client.post("/api/v1/emails/send", json=send(), headers=sender)
    email_id = ids.parse(answer.json["email_id"])
    assert email_id is not None
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'sent', sent_at = :now"), {"now": NOW})
    return email_id


@pytest.fixture
def signer(app: Flask) -> tokens.Signer:
    with app.app_context():
        return process.current().signer
