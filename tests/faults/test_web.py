"""A web server that dies between its commit and its ring, and one whose database is away."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import pytest

import settings
from engine import clock
from engine.access import accounts, bearer_tokens
from engine.tracking import tokens as tracking
from local import ports
from models import session as database
from models.session import transaction
from tests import orders, processes
from tests.conftest import environment
from tests.faults.accounts import Verdict
from tests.faults.place import ENVIRONMENT, Place

ORDER = {
    "to": "ana@empresa.example",
    "template": "email_1_roi",
    "variables": {"nombre": "Ana", "industria": "Marketing", "link_calendly": "https://cal.example/ana"},
}
READERS = 50
PATIENCE_S = 10.0  # for a sweep, a drain and a delivery on a busy machine; two ticks are 0.6 s


def test_a_web_server_that_dies_before_it_rings(here: Place, audited: Callable[[], Verdict], tmp_path: Path) -> None:
    here.relay()
    here.processes.worker("transactional")
    here.keeper()
    processes.until(lambda: here.ready == 2, "both workers are ready")
    rings = tmp_path / "rings"
    with environment(FATAL_RINGS=str(rings)):
        port = ports.free()
        here.processes.web(port, app="tests.faults.web:create_app")
        request = _request(port)
        with pytest.raises((urllib.error.URLError, HTTPException, ConnectionError)):
            urllib.request.urlopen(request, timeout=30)  # noqa: S310  # our own server
    assert rings.read_text() == "transactional\n"
    died_at = time.monotonic()
    here.kills["web"] += 1
    here.mails = 1
    processes.until(lambda: here.log.count("taken") == 1, "the mail nobody rang for is taken", within_s=PATIENCE_S)
    print(f"taken {time.monotonic() - died_at:.2f} s after the death; a tick is {ENVIRONMENT['TICK_S']} s")
    here.until_settled()
    assert audited().statuses == {"sent": 1}


def test_no_mail_leaves_to_whom_unsubscribed_while_the_database_was_away(here: Place) -> None:
    """The workers and the web server see it return at the same moment."""
    here.relay()
    port = ports.free()
    here.processes.web(port)
    with transaction() as session:
        email_ids = orders.queue(session, READERS, now=clock.now())
    here.servers.postgres.kill()
    here.kills["postmaster killed"] += 1
    signer = tracking.Signer(settings.current().tracking_ring)
    for email_id in email_ids[1:]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/u/{signer.unsubscribe(email_id)}", data=b"") as answer:
            assert answer.status == 200
    here.processes.worker("transactional")
    here.keeper()
    processes.until(lambda: here.ready == 2, "both workers are ready")
    here.servers.postgres.start()
    database.engine().dispose()
    here.until_settled()
    with transaction() as session:
        assert orders.statuses(session, email_ids) == ["sent"] + ["cancelled"] * (READERS - 1)
    assert here.log.count("taken") == 1


def _request(port: int) -> urllib.request.Request:
    with transaction() as session:
        accounts.create(session, "caller", "a long password for a caller", scopes=["send"])
    with transaction() as session:
        [profile] = accounts.listing(session)
    token = bearer_tokens.issue(profile, now=datetime.now(UTC)).access
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    where = f"http://127.0.0.1:{port}/api/v1/emails/send"
    return urllib.request.Request(where, json.dumps(ORDER).encode(), headers)
