"""Readiness reports waiting and unusable parts, and `cadencia status` exits with 1 then."""

import os
import time
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient

import settings
from engine import heartbeats
from engine.ingest import spool
from models.session import transaction
from tests.cli.conftest import Run
from tests.cli.conftest import cadencia as cadencia
from tests.conftest import environment
from web import create_app, process
from worker import rescue


def test_health_tells_of_the_backlog_and_of_files_in_quarantine(app: Flask, client: FlaskClient, cadencia: Run) -> None:
    waiting = spool.File.create(process.of(app).settings.spool_dir)  # nobody drains it while its process has it open
    two_minutes_ago = time.time() - 120
    os.utime(waiting.path, (two_minutes_ago, two_minutes_ago))
    recorders = settings.current().recorder_dir
    recorders.mkdir()
    (recorders / "a.rec.bad").touch()
    with transaction() as session:
        rescue.record_quarantine(session)
        heartbeats.beat(session, "sweep")
    assert "recorders: 1 files" in cadencia("status", status=1).output
    ready = client.get("/readyz").json
    assert (ready["spool"], 120 <= ready["spool_age_s"] < 130) == ("late", True)
    assert (ready["spool_quarantined"], ready["recorders_quarantined"]) == (0, 1)
    waiting.set_aside("a test")
    (recorders / "a.rec.bad").unlink()
    with transaction() as session:
        rescue.record_quarantine(session)
    ready = client.get("/readyz").json
    assert (ready["spool"], ready["spool_age_s"]) == ("on time", None)
    assert (ready["spool_quarantined"], ready["recorders_quarantined"]) == (1, 0)


def test_readiness_repeats_the_words_of_a_database_that_refuses_us_and_not_its_address(ledger: str) -> None:
    at = urlsplit(ledger)
    with environment(DATABASE_URL=at._replace(path="/gone").geturl()):
        refused = create_app().test_client().get("/readyz")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert refused.json["detail"] == 'database: not reachable: database "gone" does not exist'
