"""Outcomes of a send attempt: the values that the SMTP client returns and `transitions` maps to statuses."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class Phase(IntEnum):
    """The step of the SMTP dialogue that a reply answers."""

    ANSWER = 0  # the reply to the final dot, which decides about the message
    MAIL = 1
    RCPT = 2
    DATA = 3
    CONNECT = 4  # banner, EHLO, STARTTLS, AUTH: never about a recipient


class Sent(NamedTuple):
    """The server accepted the message.

    `at_ms` is when the reply was read (unix ms), 0 if that is unknown. Nearly every e-mail ends with this, so it is a
    tuple: creating one takes half the time of a frozen dataclass (measured).
    """

    response: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Deferred:
    """The server refused the message for now: the attempt counts, a later one may succeed."""

    phase: Phase
    code: int
    status: str | None  # RFC 3463, such as "4.2.2"
    response: str
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """The message was refused for good; `dead_address` means that the mailbox does not exist: suppress it.

    `at_ms` is 0 if the refusal is our own and no server saw the message. `reason` is that of the failed e-mail.
    """

    phase: Phase
    code: int
    status: str | None
    response: str
    dead_address: bool
    at_ms: int = 0
    reason: str = "refused"


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The whole body was sent and no reply was read: the server may have accepted the message or not."""

    response: str


@dataclass(frozen=True, slots=True)
class Untried:
    """The server cannot have decided: the e-mail is queued again and no attempt is counted.

    `response` says how the connection ended; it is empty if the message never was on a connection. `why` is then the
    reason why it was not, if it is known.
    """

    response: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Paced:
    """Not tried because of a rate limit: due again in `wait_s` seconds, and no attempt is counted."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class RelayRefusal:
    """The relay refuses us, or asks us to wait, for any recipient; no outcome yet.

    `otherwise` is the outcome if the relay takes other messages, so that the refusal concerns this recipient alone.
    """

    response: str
    otherwise: Deferred | Rejected | Untried


Outcome = Sent | Deferred | Rejected | InDoubt | Untried | Paced
Answered = Sent | Deferred | Rejected

# One byte for the recorder: the decision in the upper half, the phase in the lower one.
SENT = 0x10
_DEFERRED, _REJECTED, _DEAD_ADDRESS = 0x20, 0x30, 0x40


def to_byte(outcome: Answered) -> int:
    """Return the decision and the phase of an outcome that a reply decided, as one byte."""
    match outcome:
        case Sent():
            return SENT
        case Deferred(phase=phase):
            return _DEFERRED | phase
        case Rejected(phase=phase, dead_address=dead):
            return (_DEAD_ADDRESS if dead else _REJECTED) | phase


def from_byte(byte: int, code: int, response: str, at_ms: int) -> Answered:
    """Return the outcome that `to_byte` recorded, without the enhanced status. Raises ValueError for another byte."""
    decision, phase = byte & 0xF0, Phase(byte & 0x0F)
    if decision == SENT:
        return Sent(response, at_ms)
    if decision == _DEFERRED:
        return Deferred(phase, code, None, response, at_ms)
    if decision in (_REJECTED, _DEAD_ADDRESS):
        return Rejected(phase, code, None, response, decision == _DEAD_ADDRESS, at_ms)
    raise ValueError(f"{byte:#04x} is no decision")
