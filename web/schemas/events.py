"""Models of events that landing pages and forms report."""

from math import isfinite
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, RootModel, SkipValidation
from pydantic.config import JsonDict

from web.schemas.problems.problems import FieldFault
from web.schemas.shapes import GivenMoment, Input, Output

_EVENT: JsonDict = {
    "email_id": "email_018d0c1b2e7a7c3f9a5e4d2b1c0f8e6d",
    "event_type": "converted",
    "timestamp": "2024-01-15T10:05:00Z",
}
_EVENT_ID = "event_6f1d2c3b4a59687786958473625140ff"

Name = Annotated[str, Field(min_length=1, max_length=50)]
DETAIL_CHARS_MAX = 200


def _short(value: object) -> object:
    """Return a value that may be stored beside an event; one message for all that may not."""
    if isinstance(value, str):
        is_short = len(value) <= DETAIL_CHARS_MAX
    else:
        is_short = value is None or (isinstance(value, bool | int | float) and isfinite(value))
    if not is_short:
        raise ValueError(f"give a text of up to {DETAIL_CHARS_MAX} characters, a number, true, false or null")
    return value


Detail = Annotated[
    Annotated[str, Field(max_length=DETAIL_CHARS_MAX)] | bool | Annotated[float, Field(allow_inf_nan=False)] | None,
    BeforeValidator(_short),
]


class Track(Input):
    """One event of an e-mail, reported by a landing page."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EVENT]})

    email_id: Annotated[str, Field(max_length=64)]
    event_type: Literal["opened", "clicked", "converted"]
    timestamp: GivenMoment | None = Field(
        None, description="With its UTC offset. Default: now. A moment in the future counts as now."
    )
    event_data: dict[Name, Detail] = Field(
        default_factory=dict, max_length=20, description="Further data to store: up to 20 short values."
    )


class Tracks(Input):
    """Several events in one request; each is accepted or refused on its own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [_EVENT]}]})

    # Not validated here, so that an invalid event does not refuse the others.
    events: list[SkipValidation[Track]] = Field(min_length=1)


class Report(RootModel[SkipValidation[Track | Tracks | list[Track]]]):
    """One event, or a list of them, bare or as `events`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EVENT, {"events": [_EVENT]}]})


class Tracked(Output):
    """The stored event; `waiting` if it is on disk until the database is available again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "success", "event_id": _EVENT_ID, "duplicate": False}]}
    )

    status: Literal["success", "waiting"]
    event_id: str = Field(description="The same for every report of the same event.")
    duplicate: bool | None = Field(description="True if it was stored before; null while it waits.")


class Result(Output):
    """Result of one event of a list."""

    index: int = Field(description="Position in the request, from 0.")
    status: Literal["stored", "duplicate", "waiting", "refused"]
    event_id: str | None = None
    errors: list[FieldFault] | None = None


class TrackedAll(Output):
    """Results of a list of events, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "success",
                    "stored": 1,
                    "duplicates": 0,
                    "waiting": 0,
                    "refused": 0,
                    "results": [{"index": 0, "status": "stored", "event_id": _EVENT_ID, "errors": None}],
                }
            ]
        }
    )

    status: Literal["success", "partial"]
    stored: int
    duplicates: int
    waiting: int = Field(description="Number of events on disk until the database is available again.")
    refused: int
    results: list[Result]


class TrackReply(RootModel[Tracked | TrackedAll]):
    """`Tracked` for a single event, `TrackedAll` for a list."""
