"""Group commit of sign-ups: answered after the commit, a faulty one affects no other, limits as one by one."""

import secrets
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DataError

from engine.forms import forms, submissions
from engine.forms.forms import StoredForm
from engine.forms.signer import Signer
from engine.forms.submissions import Entry
from errors import TooOften, Unavailable
from local.valkey import Valkey
from models.session import transaction
from tests.conftest import environment
from tests.engine.forms import signups
from tests.engine.forms.signups import ADDRESS
from tests.processes import until
from tests.sends import NOW
from tests.web import applications
from web import process
from web.http import rate_limits
from web.ingest import deferred_response
from web.ingest.deferred_response import DeferredResponse
from web.public.forms.sign_ups import Call, SignUps


class Server:
    """The end of a connection in granian: the response that reached it."""

    def __init__(self) -> None:
        self.response: tuple[Any, ...] | None = None
        self.answered = threading.Event()

    def response_bytes(self, *response: Any) -> None:
        self.response = response
        self.answered.set()


@pytest.fixture
def form(app: Flask) -> StoredForm:
    with transaction() as session:
        return signups.create(session)


def call(form: StoredForm, number: int, *, network: str = "192.0.2.1", **changes: Any) -> Call:
    entry = Entry(f"p{number}@empresa.example", {"first_name": "Ana"}, "es", **changes)
    return Call(submissions.prepare(form, entry, services=signups.services(), now=NOW), network)


def grouped(app: Flask) -> SignUps:
    return SignUps(rate_limits.of(app), signups.services())


def addresses() -> set[str]:
    return {mail["email"] for mail in signups.emails()}


def post(app: Flask, form: StoredForm, **changes: str) -> tuple[DeferredResponse, Server, Any]:
    """Post a submission as granian does; return the deferred response, its connection, and the view's return value."""
    stamp = Signer(process.of(app).settings.tracking_ring).stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))
    server = Server()
    deferred = DeferredResponse(server)
    values = {"email": ADDRESS, "first_name": "Ana", "consent": "1", "stamp": stamp, **changes}
    returned = app.test_client().post("/f/guia", data=values, environ_overrides={deferred_response.KEY: deferred})
    return deferred, server, returned


def test_a_faulty_sign_up_affects_no_other(app: Flask, form: StoredForm) -> None:
    """The database itself refuses a network of 60 characters, which no request has."""
    calls = [call(form, 0), call(form, 1, network="192.0.2.2"), call(form, 2)]
    faulty = call(form, 3)
    entry = Entry("p3@empresa.example", {}, "es", network="x" * 60)
    faulty.sign_up = submissions.prepare(form, entry, services=signups.services(), now=NOW)
    grouped(app).store([*calls[:2], faulty, calls[2]])
    assert [each.error for each in calls] == [None] * 3 and isinstance(faulty.error, DataError)
    assert addresses() == {"p0@empresa.example", "p1@empresa.example", "p2@empresa.example"}


def test_an_address_that_is_held_affects_no_other(app: Flask, form: StoredForm) -> None:
    grouped(app).store([call(form, 0)])
    calls = [call(form, 0), call(form, 1)]
    with transaction() as holding:
        holding.execute(text("SELECT FROM contacts FOR UPDATE"))
        grouped(app).store(calls)
    assert isinstance(calls[0].error, Unavailable) and calls[1].error is None
    assert addresses() == {"p0@empresa.example", "p1@empresa.example"}


@pytest.fixture(params=["own", "shared", "away"])
def limited(request: pytest.FixtureRequest, ledger: str, valkey: Valkey) -> Iterator[Flask]:
    """An application with low limits, counted in its process, in a storage, and while that cannot be reached."""
    storage = {"shared": valkey.url, "away": "redis://127.0.0.1:9/0"}.get(request.param, "")
    limits = {"FORM_RATE": "2 per hour", "ONE_FORM_RATE": "5 per hour", "RATE_LIMIT_STORAGE_URL": storage}
    with environment(DATABASE_URL=ledger, JWT_SECRET_KEY=secrets.token_hex(32), **limits):
        yield applications.create()


def test_a_network_over_its_limit_does_not_use_up_that_of_the_form(limited: Flask) -> None:
    with transaction() as session:
        form = signups.create(session)
    flood = [call(form, number) for number in range(8)]
    others = [call(form, number, network=f"192.0.2.{number}") for number in range(10, 14)]
    grouped(limited).store([*flood[:5], *others, *flood[5:]])
    assert [each.error for each in flood[:2]] == [None] * 2
    assert all(isinstance(each.error, TooOften) for each in flood[2:])
    assert [type(each.error) for each in others] == [type(None)] * 3 + [TooOften]  # the fifth to the form was the last
    assert len(addresses()) == 5


def test_a_submission_is_answered_after_its_commit(app: Flask, form: StoredForm) -> None:
    with transaction() as blocking:
        blocking.execute(text("LOCK TABLE form_submissions IN EXCLUSIVE MODE"))
        deferred, server, returned = post(app, form)
        deferred.response_bytes(returned.status_code, [], returned.data)
        assert not server.answered.wait(0.3) and returned.status_code == 200
    assert server.answered.wait(10) and server.response is not None
    assert server.response[0] == 200 and "Confirma tu dirección" in server.response[2].decode()
    assert addresses() == {ADDRESS}


def test_a_refused_submission_gets_the_page_of_its_error(limited: Flask) -> None:
    with transaction() as session:
        form = signups.create(session)
    servers = [post(limited, form, email=f"p{number}@empresa.example")[1] for number in range(3)]
    assert servers[2].answered.wait(10) and servers[2].response is not None
    status, headers, content = servers[2].response
    assert status == 429 and "Demasiados intentos" in content.decode()
    fields = dict(headers)
    assert int(fields["Retry-After"]) > 0 and fields["X-Content-Type-Options"] == "nosniff"
    assert not servers[0].answered.is_set()  # its own response was not there yet


def test_all_fail_while_the_database_is_unavailable_and_later_ones_are_stored(app: Flask, form: StoredForm) -> None:
    calls = [call(form, 0), call(form, 1)]
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        grouped(app).store(calls)
    assert [type(each.error) for each in calls] == [Unavailable] * 2
    grouped(app).store(calls)
    assert [each.error for each in calls] == [None] * 2 and len(addresses()) == 2


def test_a_change_of_a_form_is_visible_after_a_second(client: FlaskClient, form: StoredForm) -> None:
    assert client.get("/f/guia").status_code == 200
    with transaction() as session:
        forms.set_active(session, "guia", False, now=NOW)
    until(lambda: client.get("/f/guia").status_code == 404, "the form takes no submissions", within_s=5)
    with transaction() as session:
        forms.set_active(session, "guia", True, now=NOW)
    until(lambda: client.get("/f/guia").status_code == 200, "the form takes submissions", within_s=5)
