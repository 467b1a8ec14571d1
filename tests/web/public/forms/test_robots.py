"""Robots that flood a form: nothing of them is stored, and no e-mail is sent; 10,000 of them in `make fuzz`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from engine.forms.signer import Signer
from models.session import transaction
from tests import fuzz
from tests.engine.forms import signups
from web import process

NUMBER = 10_000 if fuzz.IS_LONG else 60


def bodies(signer: Signer) -> Iterator[dict[str, str]]:
    """Yield the submissions of robots: wrong traps, stamps and values, copied and random ones."""
    now = datetime.now(UTC)
    with transaction() as session:
        form, other = signups.create(session), signups.create(session, slug="otra")
    good = signer.stamp(form.id, now - timedelta(minutes=1))
    filled = {"first_name": "Ana", "size": "", "consent": "1", "website": "", "lang": "es", "stamp": good}
    yield from cycle(
        [
            filled | {"website": "https://spam.example"},
            {name: value for name, value in filled.items() if name != "stamp"},
            filled | {"stamp": signer.stamp(form.id, now + timedelta(hours=9))},
            filled | {"stamp": signer.stamp(form.id, now - timedelta(hours=25))},
            filled | {"stamp": signer.stamp(other.id, now - timedelta(minutes=1))},
            filled | {"stamp": good[:-1] + ("A" if good[-1] != "A" else "E")},
            filled | {"first_name": "Gana dinero\r\nBcc: todos@empresa.example"},
            filled | {"url": "https://spam.example"},
            {name: value for name, value in filled.items() if name != "consent"},
        ]
    )


@pytest.mark.timeout(7_200 if fuzz.IS_LONG else 120)
def test_robots_get_no_email_sent_and_store_nothing(app: Flask, client: FlaskClient) -> None:
    statuses = set()
    for number, body in enumerate(islice(bodies(Signer(process.of(app).settings.tracking_ring)), NUMBER)):
        robot = {"REMOTE_ADDR": f"2001:db8:{number:x}::1"}  # each from a network of its own
        data = body | {"email": f"victima{number}@empresa.example"}
        statuses.add(client.post("/f/guia", data=data, environ_overrides=robot).status_code)
    assert statuses == {200, 422}
    with transaction() as session:
        assert session.execute(text("SELECT (SELECT count(*) FROM emails), (SELECT count(*) FROM form_submissions), "
                                    "(SELECT count(*) FROM contacts)")).one() == (0, 0, 0)  # fmt: skip


def test_a_robot_that_waits_as_people_do_sends_as_many_as_one_network_may(app: Flask, client: FlaskClient) -> None:
    with transaction() as session:
        form = signups.create(session)
    stamp = Signer(process.of(app).settings.tracking_ring).stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))
    filled = {"first_name": "Ana", "consent": "1", "stamp": stamp}
    answers = [client.post("/f/guia", data=filled | {"email": f"v{n}@empresa.example"}).status_code for n in range(65)]
    assert answers == [200] * 60 + [429] * 5
    again = {"REMOTE_ADDR": "2001:db8::1"}
    client.post("/f/guia", data=filled | {"email": "v1@empresa.example"}, environ_overrides=again)
    assert len(signups.emails()) == 60
