"""Models of the health checks."""

from typing import Literal

from pydantic import Field

from web.schemas.shapes import Output


class Alive(Output):
    """Liveness of the process."""

    status: Literal["alive"] = "alive"


class Ready(Output):
    """Readiness: the database answers; `sweep` says if the workers' sweep ran within the last minute."""

    status: Literal["ready"] = "ready"
    database: Literal["answers"] = "answers"
    sweep: Literal["on time", "late"]
    sweep_age_s: float | None
    spool_bytes: int = Field(0, description="Size of this process's hits that are not in the database yet.")
    events_unsaved: int = Field(0, description="Hits that neither disk nor database accepted, since the start.")
