"""Everything Cadencia raises on purpose, arranged by what the caller should do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

# CadenciaError
# ├── InvalidInput            the caller sent something wrong: mend it, then send again
# │   └── PayloadTooLarge
# ├── Unauthenticated         no valid proof of who is calling: get a token
# ├── Forbidden               known, but not allowed
# ├── NotFound                no such thing (or not yours: both look the same)
# ├── Conflict                the thing is not in a state that allows this
# │   └── InProgress          the same request is being worked on: try again shortly
# ├── TooOften                the limit is reached: wait as long as it says
# ├── Unavailable             our side is down: try again later, nothing was stored
# └── Fenced                  this sender was declared dead: the process must end


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where it is, what is wrong, what would be right."""

    field: str
    message: str


class CadenciaError(Exception):
    """Base of the tree; never raised itself."""


class InvalidInput(CadenciaError):
    """The input is refused as a whole; `faults` names every field at fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = tuple(faults)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInput":
        """The common case: one field, one fault."""
        return cls([Fault(field, message)])


class PayloadTooLarge(InvalidInput):
    """More bytes than are taken in one go."""


class Unauthenticated(CadenciaError):
    """No valid credentials came with the request."""


class Forbidden(CadenciaError):
    """The credentials are valid but do not allow this."""


class NotFound(CadenciaError):
    """There is no such thing."""


class Conflict(CadenciaError):
    """The thing exists but its state does not allow what was asked."""


class InProgress(Conflict):
    """The same request is still being worked on."""


class TooOften(CadenciaError):
    """More calls than are taken in a time; `wait_s` is for how long to leave off."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Unavailable(CadenciaError):
    """A part of Cadencia is down; nothing of the request was stored."""


class Fenced(CadenciaError):
    """This sender was declared dead and its work given to others: end the process at once."""
