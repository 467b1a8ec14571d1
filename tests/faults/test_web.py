"""A web server that dies between its commit and its ring, and one without its database."""

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
from tests import processes, sends
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.scenarios import ENVIRONMENT, Scenario

REQUEST = {
    "to": "ana@empresa.example",
    "template": "email_1_roi",
    "variables": {"nombre": "Ana", "industria": "Marketing", "link_calendly": "https://cal.example/ana"},
}
READERS = 50
WITHIN_S = 10.0  # for a sweep, a drain and a delivery on a busy machine; two ticks are 0.6 s


def test_a_web_server_that_dies_before_it_rings(
    scenario: Scenario, audited: Callable[[], Report], tmp_path: Path
) -> None:
    scenario.relay()
    scenario.processes.worker("transactional")
    scenario.keeper()
    processes.until(lambda: scenario.ready == 2, "both workers are ready")
    rings = tmp_path / "rings"
    with environment(FATAL_RINGS=str(rings)):
        port = ports.free()
        scenario.processes.web(port, app="tests.faults.web:create_app")
        request = _request(port)
        with pytest.raises((urllib.error.URLError, HTTPException, ConnectionError)):
            urllib.request.urlopen(request, timeout=30)  # our own server
    assert rings.read_text() == "transactional\n"
    died_at = time.monotonic()
    scenario.kills["web"] += 1
    scenario.emails = 1
    processes.until(lambda: scenario.log.count("accepted") == 1, "the e-mail without a ring is sent", within_s=WITHIN_S)
    print(f"sent {time.monotonic() - died_at:.2f} s after the death; a tick is {ENVIRONMENT['TICK_S']} s")
    scenario.until_settled()
    assert audited().statuses == {"sent": 1}


def test_nothing_is_sent_to_contacts_who_unsubscribed_while_the_database_was_down(scenario: Scenario) -> None:
    """The workers and the web server notice its return at the same time."""
    scenario.relay()
    port = ports.free()
    scenario.processes.web(port)
    with transaction() as session:
        email_ids = sends.queue(session, READERS, now=clock.now())
    scenario.servers.postgres.kill()
    scenario.kills["postmaster killed"] += 1
    signer = tracking.Signer(settings.current().tracking_ring)
    for email_id in email_ids[1:]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/u/{signer.unsubscribe(email_id)}", data=b"") as answer:
            assert answer.status == 200
    scenario.processes.worker("transactional")
    scenario.keeper()
    processes.until(lambda: scenario.ready == 2, "both workers are ready")
    scenario.servers.postgres.start()
    database.engine().dispose()
    scenario.until_settled()
    with transaction() as session:
        assert sends.statuses(session, email_ids) == ["sent"] + ["cancelled"] * (READERS - 1)
    assert scenario.log.count("accepted") == 1


def _request(port: int) -> urllib.request.Request:
    with transaction() as session:
        accounts.create(session, "caller", "a long password for a caller", scopes=["send"])
    with transaction() as session:
        [profile] = accounts.listing(session)
    token = bearer_tokens.issue(profile, now=datetime.now(UTC)).access
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    where = f"http://127.0.0.1:{port}/api/v1/emails/send"
    return urllib.request.Request(where, json.dumps(REQUEST).encode(), headers)
