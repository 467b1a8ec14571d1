"""What the health pages say."""

from typing import Literal

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
