"""What became of one message: the values a send gives back and the ledger settles by."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Phase(IntEnum):
    """Which step of the SMTP dialogue a reply answers."""

    ANSWER = 0  # the reply to the final dot: the one that decides about a whole message
    MAIL = 1
    RCPT = 2
    DATA = 3
    CONNECT = 4  # banner, EHLO, STARTTLS, AUTH: never about a recipient


class Sent(NamedTuple):
    """The server took the message over: it is its own to deliver now.

    `at_ms` is when the reply was read (unix ms); 0 when nobody knows. A tuple, made in half the time of a frozen
    dataclass: nearly every message ends as one.
    """

    response: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Deferred:
    """A temporary refusal: the attempt counts, a later one may succeed."""

    phase: Phase
    code: int
    status: str | None  # RFC 3463, such as "4.2.2"
    response: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A final refusal; with `dead_address` nobody lives there and the address is to be suppressed.

    `at_ms` is 0 where the refusal is our own: the message never reached a server.
    """

    phase: Phase
    code: int
    status: str | None
    response: str
    dead_address: bool
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The whole body was handed over and no reply came: it may have been accepted or not."""

    response: str


@dataclass(frozen=True, slots=True)
class Untried:
    """No decision was reached and none can have been: give it back, no attempt is charged.

    `response` is empty for a message that never was on a connection, and else says how that one ended.
    """

    response: str


@dataclass(frozen=True, slots=True)
class Paced:
    """Not tried, because it came too early for a limit: it is due again in `wait_s` seconds, uncharged."""

    wait_s: float


Outcome = Sent | Deferred | Rejected | InDoubt | Untried | Paced
