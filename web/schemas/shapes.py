"""The shapes that several resources share: strict input, output, moments."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

MOMENT_CHARS_MAX = 40


class Input(BaseModel):
    """A body, or a part of one; a field it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Output(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True)


def _aware(value: object) -> datetime:
    """RFC 3339 with its offset; pydantic's own reader takes numbers, dates and times without a zone, too."""
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
        told = str(error).startswith("has no")
        raise ValueError(str(error) if told else "give a date and time such as 2024-01-15T10:05:00Z") from None


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _written_to_the_ms(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})

# What a caller sends: any offset, but one must be there.
GivenMoment = Annotated[datetime, BeforeValidator(_aware), _SCHEMA]
# What the specification shows: whole seconds, UTC, Z.
Second = Annotated[datetime, PlainSerializer(_written), _SCHEMA]
# What a story needs to put things in order.
Moment = Annotated[datetime, PlainSerializer(_written_to_the_ms), _SCHEMA]
