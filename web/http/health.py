"""Liveness (/healthz) and readiness (/readyz) checks for load balancers."""

from flask import Blueprint, Response

import settings
from engine import clock, heartbeats, lanes, quarantine
from engine.ingest import spool
from engine.templates import host_faults
from models.session import transaction
from web import process
from web.http.auth import public
from web.http.routes import answer
from web.ingest import group_commit
from web.schemas.health import Alive, LaneState, Ready

SWEEP = "sweep"

pages = Blueprint("health", __name__)


@pages.get("/healthz")
@public("load balancers ask without a token")
def alive() -> Response:
    """Answer 200 while the process runs; does not use the database."""
    return answer(Alive())


@pages.get("/readyz")
@public("load balancers ask without a token")
def ready() -> Response:
    """Answer 200 if the database answers, else 503.

    Reports the last sweep, the state of each lane, the backlog of the spool and files in quarantine without failing on
    them: a web process without workers still accepts requests and loses none.
    """
    with transaction() as session:
        age_s = heartbeats.ages(session).get(SWEEP)
        read = lanes.read(session, now=clock.now(), clock_rate=settings.current().clock_rate)
        unusable = host_faults.current(session)
        recorders = sum(each.files for each in quarantine.recorded(session) if each.folder == "recorders")
    ingest, configured = group_commit.current(), process.current().settings
    spool_age_s = spool.age_s(configured.spool_dir)
    return answer(
        Ready(
            sweep="late" if heartbeats.is_late(age_s) else "on time",
            sweep_age_s=None if age_s is None else round(age_s, 1),
            lanes={lane.name: _state(lane) for lane in read},
            spool_bytes=ingest.size_bytes,
            spool="late" if (spool_age_s or 0) > heartbeats.LATE_S else "on time",
            spool_age_s=None if spool_age_s is None else round(spool_age_s, 1),
            spool_quarantined=quarantine.size(configured.spool_dir),
            recorders_quarantined=recorders,
            events_unsaved=ingest.unsaved,
            templates_unusable=len(unusable),
            warnings=configured.warnings,
        )
    )


def _state(lane: lanes.Lane) -> LaneState:
    return LaneState(
        state="late" if lane.is_late else "on time",
        due=lane.due,
        due_since=lane.since,
        worked_s_ago=None if lane.worked_s_ago is None else round(lane.worked_s_ago, 1),
    )
