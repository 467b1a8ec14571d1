"""Models of the health checks."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from web.schemas.shapes import Output


class Alive(Output):
    """Liveness of the process."""

    status: Literal["alive"] = "alive"


class LaneState(Output):
    """A lane is late if e-mails are due for more than a minute and no sender has worked on it in the last minute."""

    state: Literal["on time", "late"]
    due: int = Field(0, description="E-mails and campaign steps that are due; at most 1,000 of each step are counted.")
    due_since: datetime | None = Field(None, description="When the longest due one became due.")
    worked_s_ago: float | None = Field(None, description="Seconds since a sender last worked; null: not in a week.")


class Ready(Output):
    """Readiness: the database answers; `sweep` says if the workers' sweep ran within the last minute."""

    status: Literal["ready"] = "ready"
    database: Literal["answers"] = "answers"
    sweep: Literal["on time", "late"]
    sweep_age_s: float | None
    lanes: dict[str, LaneState]
    spool_bytes: int = Field(0, description="Size of this process's hits that are not in the database yet.")
    spool: Literal["on time", "late"] = Field(description="`late` if an event on this host waits for over a minute.")
    spool_age_s: float | None = Field(description="Age of the oldest spool file on this host; null without files.")
    spool_quarantined: int = Field(0, description="Spool files and lines' files on this host that nobody can store.")
    recorders_quarantined: int = Field(0, description="Recorders of all hosts that could not be used.")
    events_unsaved: int = Field(0, description="Hits that neither disk nor database accepted, since the start.")
    templates_unusable: int = Field(0, description="Templates that senders of a host cannot use; their e-mails wait.")
    warnings: tuple[str, ...] = Field((), description="Settings that are valid and probably not meant.")
