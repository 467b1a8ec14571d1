"""What the health pages say."""

from typing import Literal

from pydantic import Field

from web.schemas.shapes import Output


class Alive(Output):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Output):
    """The database answers; the sweep, which rescues forgotten work, should be on time."""

    status: Literal["ready"] = "ready"
    database: Literal["answers"] = "answers"
    sweep: Literal["on time", "late"]
    sweep_age_s: float | None
    spool_bytes: int = Field(0, description="Hits of this process that wait to be taken into the database.")
    events_unsaved: int = Field(0, description="Hits that this process could keep nowhere, since it started.")
