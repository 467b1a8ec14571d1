"""Events that landing pages and forms report."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from web.schemas.shapes import GivenMoment, Input, Output


class Track(Input):
    """One thing that happened to an e-mail, as a landing page saw it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "email_id": "email_018d0c1b2e7a7c3f9a5e4d2b1c0f8e6d",
                    "event_type": "converted",
                    "timestamp": "2024-01-15T10:05:00Z",
                }
            ]
        }
    )

    email_id: Annotated[str, Field(max_length=64)]
    event_type: Literal["opened", "clicked", "converted"]
    timestamp: GivenMoment | None = Field(
        None, description="With its offset; without one it happened now. A future one counts as now."
    )


class Tracked(Output):
    """The event is stored."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "success", "event_id": "event_6f1d2c3b4a59687786958473625140ff"}]}
    )

    status: Literal["success"] = "success"
    event_id: str = Field(description="Equal for the same event, however often it is reported.")
