"""How values become text, and the text of a template bytes; what is printed in many places is encoded once."""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.runtime import Context
from jinja2.utils import missing
from markupsafe import escape

from engine.messages.sandbox import budget

_BREAK = re.compile(r"\r\n|\r|\n")
_SPECIAL = b"&<>'\"\r\n"  # what stands in a mail otherwise than in its variable


def scalar(value: Any) -> Any:
    """`value` itself if it can be printed; lists and objects cannot (looped over or joined, they can)."""
    if isinstance(value, (str, int, float, Undefined)) or value is None:
        return value  # an undefined name says so itself when it is printed
    raise SecurityError(f"a {type(value).__name__} cannot be printed as a whole")


def printed(value: Any) -> str:
    """What `{{ value }}` prints: nothing for none, never a whole list; CRLF line ends."""
    text = value if isinstance(value, str) else "" if value is None else str(scalar(value))
    return type(text)(_BREAK.sub("\r\n", text)) if "\n" in text or "\r" in text else text


class Words(dict[str, bytes]):
    """The variables of one mail as its templates print them, each encoded at its first use; escaped for HTML."""

    __slots__ = ("_escapes", "_values")

    def __init__(self, values: Mapping[str, Any], *, escapes: bool) -> None:
        self._values = values
        self._escapes = escapes

    def __missing__(self, name: str) -> bytes:
        value = self._values.get(name, missing)
        if value is missing:
            raise UndefinedError(f"{name!r} is undefined")
        encoded = self[name] = _encoded(value, self._escapes)
        return encoded


def piece(page: "Page", value: Any) -> bytes:
    """What `{{ value }}` puts into a mail, paid for by its length."""
    encoded = _encoded(value, page.escapes)
    page.parent[budget.NAME].spend(len(encoded))
    return encoded


def _encoded(value: Any, escapes: bool) -> bytes:
    text = value if type(value) is str else printed(value)
    encoded: bytes = text.encode()
    if len(encoded.translate(None, _SPECIAL)) == len(encoded):
        return encoded
    text = printed(text)
    return (escape(text) if escapes else text).encode()


class Page(Context):
    """What the code of one template sees while it renders one mail: Jinja's context, made cheaply.

    Jinja's own copies the globals and works out the escaping anew each time; nothing here changes that.
    """

    def __init__(self, environment: Any, values: dict[str, Any], words: Words) -> None:
        self.environment = environment
        self.parent = values
        self.eval_ctx = environment.eval_ctx
        self.vars = {}
        self.exported_vars = set()
        self.name = None
        self.blocks = {}
        self.escapes = self.eval_ctx.autoescape
        self.words = words
        self.piece = piece

    def resolve_or_missing(self, key: str) -> Any:
        """The value of a name, or Jinja's sign that there is none."""
        return self.vars[key] if key in self.vars else self.parent.get(key, missing)
