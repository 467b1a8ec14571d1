"""How values become text, and the text of a template bytes; what is printed in many places is encoded once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.utils import missing
from markupsafe import escape

UNITS_MAX = 1_000_000  # one unit is one character
ROUND_UNITS = 100  # what a round of a loop costs at least: 10,000 rounds in all
TEXT_CHARS_MAX = 100_000  # of one expression

_BREAK = re.compile(r"\r\n|\r|\n")
_SPECIAL = b"&<>'\"\r\n\0"  # what stands in a mail otherwise than in its variable


def check_length(chars: int) -> None:
    """SecurityError if an expression would make more than TEXT_CHARS_MAX characters."""
    if chars > TEXT_CHARS_MAX:
        raise SecurityError(f"an expression makes more than {TEXT_CHARS_MAX} characters")


def scalar(value: Any) -> Any:
    """`value` itself if it can be printed; lists and objects cannot (looped over or joined, they can)."""
    if isinstance(value, (str, int, float, Undefined)) or value is None:
        return value  # an undefined name says so itself when it is printed
    raise SecurityError(f"a {type(value).__name__} cannot be printed as a whole")


def printed(value: Any) -> str:
    """What `{{ value }}` prints: nothing for none, never a whole list; CRLF line ends; SecurityError for a NUL."""
    text = value if isinstance(value, str) else "" if value is None else str(scalar(value))
    if "\0" in text:
        raise SecurityError("a NUL has no place in a mail")
    return type(text)(_BREAK.sub("\r\n", text)) if "\n" in text or "\r" in text else text


class EncodedVariables(dict[str, bytes]):
    """The variables of one mail as its templates print them, each encoded at its first use; escaped for HTML."""

    __slots__ = ("_escapes", "_values")

    def __init__(self, values: Mapping[str, Any], escapes: bool) -> None:
        self._values = values
        self._escapes = escapes

    def __missing__(self, name: str) -> bytes:
        value = self._values.get(name, missing)
        if value is missing:
            raise UndefinedError(f"{name!r} is undefined")
        encoded = self[name] = _encoded(value, self._escapes)
        return encoded


def encoded_variables(values: Mapping[str, Any], names: Iterable[str]) -> tuple[EncodedVariables, EncodedVariables]:
    """The words of one mail for text and for HTML; most are the same in both, and those of `names` made at once."""
    text, html = EncodedVariables(values, False), EncodedVariables(values, True)
    for name in names:
        value = values.get(name)
        if type(value) is str and value.isprintable():  # what cannot be encoded is told when it is printed
            encoded = value.encode()
            if len(encoded.translate(None, _SPECIAL)) == len(encoded):
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
    """What the code of one template sees while it renders one mail: Jinja's context, made cheaply.

    Jinja's own copies the globals and works out the escaping anew each time; nothing here changes that.
    """

    name = None
    budget = UNITS_MAX
    blocks: Mapping[str, Any] = {}  # type: ignore[assignment]  # refused in templates
    exported_vars: set[str] = set()  # noqa: RUF012  # for those who import a template: nobody

    def __init__(self, environment: Any, values: dict[str, Any], variables: EncodedVariables) -> None:
        self.environment = environment
        self.parent = values
        self.eval_ctx = environment.eval_ctx
        self.vars = {}
        self.variables = variables

    def resolve_or_missing(self, key: str) -> Any:
        """The value of a name, or Jinja's sign that there is none."""
        if key in self.vars:
            return self.vars[key]
        return self.parent[key] if key in self.parent else self.environment.globals.get(key, missing)

    def encode(self, value: Any) -> bytes:
        """What `{{ value }}` puts into the mail, paid for by its length."""
        encoded = _encoded(value, self.eval_ctx.autoescape)
        self.spend(len(encoded))
        return encoded

    def spend(self, units: int) -> None:
        """Take `units` off, or SecurityError when there are not that many left."""
        self.budget -= units
        if self.budget < 0:
            raise SecurityError(f"the template makes more than {UNITS_MAX} characters or loops without end")

    def charge(self, text: Any) -> Any:
        """`text` itself, paid for by its length; what is no text is free."""
        if isinstance(text, str):
            self.spend(len(text))
        return text
