"""Base models and field types that several resources share: strict input, output, moments."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

MOMENT_CHARS_MAX = 40


class Input(BaseModel):
    """Base of request models: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Output(BaseModel):
    """Base of response models."""

    model_config = ConfigDict(frozen=True)


def _aware(value: object) -> datetime:
    """Parse RFC 3339 with an offset; pydantic's parser also accepts numbers, dates and times without a zone."""
    if not isinstance(value, str) or len(value) > MOMENT_CHARS_MAX or "T" not in value.upper():
        raise ValueError("give a date and time such as 2024-01-15T10:05:00Z")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("has no time zone; give one, as in 2024-01-15T10:05:00Z or 2024-01-15T11:05:00+01:00")
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None
    except ValueError as error:
        is_ours = str(error).startswith("has no")
        raise ValueError(str(error) if is_ours else "give a date and time such as 2024-01-15T10:05:00Z") from None


def _format_s(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _format_ms(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})

# In requests: any UTC offset, but not without one.
GivenMoment = Annotated[datetime, BeforeValidator(_aware), _SCHEMA]
# In responses, as in the specification: whole seconds, UTC, "Z".
Second = Annotated[datetime, PlainSerializer(_format_s), _SCHEMA]
# In responses that order events: milliseconds.
Moment = Annotated[datetime, PlainSerializer(_format_ms), _SCHEMA]
