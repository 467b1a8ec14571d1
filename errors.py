"""The exceptions of Cadencia, arranged by what the caller should do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

# CadenciaError
# ├── InvalidInput            the input is invalid: correct it, then send again
# │   ├── PayloadTooLarge
# │   └── MissingPrecondition   the request must name the state that it changes
# ├── Unauthenticated         no valid credentials: get a token
# ├── Forbidden               valid credentials without the permission
# ├── NotFound                the resource does not exist, or belongs to another account
# ├── Conflict                the state of the resource does not allow the call
# │   └── InProgress          the same request is in progress: try again shortly
# ├── TooOften                a rate limit is reached: wait for `wait_s` seconds
# ├── Unavailable             a part of Cadencia is down: try again later, nothing was stored
# └── Fenced                  this sender lost its right to write: the process must end


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of an input: the field, the fault, and a valid form; of a longer text also the line."""

    field: str
    message: str
    line: int | None = None


_SHOWN_CHARS_MAX = 60
_LISTED_MAX = 30


def unknown(value: str, known: Iterable[str], *, fault: str = "is not known") -> str:
    """Return the message for a name that does not exist: the name, the nearest one, and those that exist."""
    names = list(known)
    close = nearest(value, names)
    listed = ", ".join(names[:_LISTED_MAX]) + (f" and {len(names) - _LISTED_MAX} more" * (len(names) > _LISTED_MAX))
    question = f"did you mean {close}? There" if close else "there"
    return f"{shown(value)} {fault}; {question} are {listed or 'none'}"


def nearest(value: str, known: Iterable[str]) -> str | None:
    """Return the name that is most like `value`, in upper or lower case; None if none is like it."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(value.casefold()[:_SHOWN_CHARS_MAX], by_folded, n=1)
    return by_folded[close[0]] if close else None


def shown(value: str) -> str:
    """Return the value as a message repeats it: in quotes, shortened, and not if it may be an address."""
    if "@" in value:
        return "this value"
    text = value if len(value) <= _SHOWN_CHARS_MAX else f"{value[:_SHOWN_CHARS_MAX]}…"
    return repr(text)


class CadenciaError(Exception):
    """Base class; never raised itself."""


class InvalidInput(CadenciaError):
    """The input is invalid and was refused as a whole; `faults` lists every fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))
        self.faults = tuple(faults)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInput":
        """Return the error for one fault of one field."""
        return cls([Fault(field, message)])


class PayloadTooLarge(InvalidInput):
    """The body has more bytes than the limit."""


class MissingPrecondition(InvalidInput):
    """The request does not name the state that it changes."""


class Unauthenticated(CadenciaError):
    """The request has no valid credentials."""


class Forbidden(CadenciaError):
    """The credentials are valid but do not allow the call."""


class NotFound(CadenciaError):
    """The resource does not exist."""


class Conflict(CadenciaError):
    """The resource exists, but its state does not allow the call."""


class InProgress(Conflict):
    """The same request is still in progress."""


class TooOften(CadenciaError):
    """A rate limit is reached; the next call is allowed after `wait_s` seconds."""

    def __init__(self, message: str, *, wait_s: int) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Unavailable(CadenciaError):
    """A part of Cadencia is down; nothing of the request was stored.

    `public` is the message for callers; that for operators and logs may also name hosts.
    """

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self.public = message if public is None else public


class Fenced(CadenciaError):
    """This sender lost its right to write, and others do its work: end the process at once."""
