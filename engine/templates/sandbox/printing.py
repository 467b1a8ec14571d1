"""Print values as text and encode them, once per variable; the context and budget of a render."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.utils import missing
from markupsafe import escape

UNITS_MAX = 1_000_000  # one unit is one character
ROUND_UNITS = 100  # the least cost of a round of a loop: 10,000 rounds in all
NUMBER_BITS_MAX = 4_096
TEXT_CHARS_MAX = 100_000  # of one expression

LONG_BYTES = 1_000  # of an encoded variable; without a longer one, a few hundred of them are short in all

ITERABLES: tuple[type[Collection[Any]], ...] = (
    list, tuple, range, type({}.keys()), type({}.values()), type({}.items()),
)  # fmt: skip
_BREAK = re.compile(r"\r\n|\r|\n")
_SPECIAL = b"&<>'\"\r\n\0"  # escaped, or replaced by CRLF, or refused


def check_length(chars: int) -> None:
    """Raise SecurityError for more than TEXT_CHARS_MAX characters."""
    if chars > TEXT_CHARS_MAX:
        raise SecurityError(f"an expression makes more than {TEXT_CHARS_MAX} characters")


def scalar(value: Any) -> Any:
    """Return the value if it can be printed; raise SecurityError for lists and objects."""
    if isinstance(value, (str, int, float, Undefined)) or value is None:
        return value  # printing an undefined name raises the error that names it
    raise SecurityError(f"a {type(value).__name__} cannot be printed as a whole")


def printed(value: Any) -> str:
    """Return the text that `{{ value }}` prints, with CRLF line ends; raise SecurityError for a list or a NUL."""
    text = value if isinstance(value, str) else "" if value is None else str(scalar(value))
    if "\0" in text:
        raise SecurityError("a NUL has no place in an e-mail")
    return type(text)(_BREAK.sub("\r\n", text)) if "\n" in text or "\r" in text else text


class EncodedVariables(dict[str, bytes]):
    """The variables of one render as they are printed, each encoded at its first use, escaped if `escapes`."""

    __slots__ = ("_escapes", "_values", "is_long")

    def __init__(self, values: Mapping[str, Any], escapes: bool) -> None:
        self.is_long = False  # True if one that was used is longer than LONG_BYTES
        self._values = values
        self._escapes = escapes

    def __missing__(self, name: str) -> bytes:
        value = self._values.get(name, missing)
        if value is missing:
            raise UndefinedError(f"{name!r} is undefined")
        encoded = self[name] = _encoded(value, self._escapes)
        if len(encoded) > LONG_BYTES:
            self.is_long = True
        return encoded


def encoded_variables(values: Mapping[str, Any], names: Iterable[str]) -> tuple[EncodedVariables, EncodedVariables]:
    """Return the variables for text and for HTML; those in `names` that are the same in both are encoded at once."""
    text, html = EncodedVariables(values, False), EncodedVariables(values, True)
    for name in names:
        value = values.get(name)
        if type(value) is str and value.isprintable():  # others are encoded, or refused, when they are printed
            encoded = value.encode()
            size = len(encoded)
            if len(encoded.translate(None, _SPECIAL)) == size <= LONG_BYTES:
                text[name] = html[name] = encoded
    return text, html


def _encoded(value: Any, escapes: bool) -> bytes:
    text = value if type(value) is str else printed(value)
    encoded: bytes = text.encode()
    if len(encoded.translate(None, _SPECIAL)) == len(encoded):
        return encoded
    text = printed(text)
    return (escape(text) if escapes else text).encode()


class RenderContext(Context):
    """The context of one render, and its budget of characters and loop rounds.

    Cheaper than Jinja's own, which copies the globals and evaluates autoescape for each render.
    """

    name = None
    budget = UNITS_MAX
    blocks: Mapping[str, Any] = {}  # type: ignore[assignment]  # refused in templates
    exported_vars: set[str] = set()  # noqa: RUF012  # only used by templates that import others

    def __init__(self, environment: Any, values: dict[str, Any], variables: EncodedVariables) -> None:
        self.environment = environment
        self.parent = values
        self.eval_ctx = environment.eval_ctx
        self.vars = {}
        self.variables = variables

    def resolve_or_missing(self, key: str) -> Any:
        """Return the value of a name, or Jinja's `missing`."""
        if key in self.vars:
            return self.vars[key]
        return self.parent[key] if key in self.parent else self.environment.globals.get(key, missing)

    def encode(self, value: Any) -> bytes:
        """Return the bytes that `{{ value }}` prints, after charging their length."""
        encoded = _encoded(value, self.eval_ctx.autoescape)
        self.spend(len(encoded))
        return encoded

    def spend(self, units: int) -> None:
        """Take `units` off the budget; raise SecurityError if it is exceeded."""
        self.budget -= units
        if self.budget < 0:
            raise SecurityError(f"the template makes more than {UNITS_MAX} characters or loops without end")

    def scan(self, value: Any) -> None:
        """Charge the work of looking through a value: its characters, digits and items, nested ones included."""
        if isinstance(value, str):
            self.spend(len(value))
            return
        rest = [value]
        while rest:
            item = rest.pop()
            if isinstance(item, str):
                self.spend(len(item) + 1)
            elif isinstance(item, int):
                self.spend(item.bit_length() // 8 + 1)
            elif isinstance(item, dict):
                self.spend(len(item) + 1)
                rest += item
                rest += item.values()
            elif isinstance(item, ITERABLES):
                self.spend(len(item) + 1)
                rest += item
            else:
                self.spend(1)

    def copied(self, value: Any) -> Any:
        """Return a new text or list after charging its length; the items of an iterator as a list."""
        if isinstance(value, Iterator):
            value = list(value)
        if isinstance(value, (str, list, tuple)):
            self.spend(len(value))
        return value

    def charge(self, text: Any) -> Any:
        """Return the value after charging its length if it is text."""
        if isinstance(text, str):
            self.spend(len(text))
        return text
