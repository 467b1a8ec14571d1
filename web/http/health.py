"""Liveness (/healthz) and readiness (/readyz) checks for load balancers."""

from flask import Blueprint, Response

from engine import heartbeats
from models.session import transaction
from web import process
from web.http.auth import public
from web.http.routes import answer
from web.schemas.health import Alive, Ready

SWEEP = "sweep"
SWEEP_AGE_MAX_S = 60.0  # rule R5

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

    Reports the age of the last sweep without failing on it: a web process without workers still accepts requests
    and loses none.
    """
    with transaction() as session:
        age_s = heartbeats.ages(session).get(SWEEP)
    late = age_s is None or age_s > SWEEP_AGE_MAX_S
    ingest = process.current().ingest
    return answer(
        Ready(
            sweep="late" if late else "on time",
            sweep_age_s=None if age_s is None else round(age_s, 1),
            spool_bytes=ingest.size_bytes,
            events_unsaved=ingest.unsaved,
        )
    )
