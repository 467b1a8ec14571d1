"""The filters that templates may use: their output is bounded, and those for text refuse lists."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import filters as stock
from jinja2 import pass_context
from markupsafe import Markup, escape, soft_str

from engine.templates.sandbox import printing
from engine.templates.sandbox.printing import RenderContext, scalar

_PERCENT = tuple(quote(bytes([byte]), safe="") for byte in range(256))
_TAGS = re.compile(r"<[^>]*>")
_STOCK = (
    "abs", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length", "list",
    "map", "max", "min", "reject", "rejectattr", "select", "selectattr", "sort", "unique",
)  # fmt: skip


@pass_context
def finalize(context: RenderContext, value: Any) -> str:
    """Return the text that `{{ value }}` prints, after charging its length."""
    text = printing.printed(value)
    context.spend(len(text))
    return text


@pass_context
def joined(context: RenderContext, values: Iterable[Any], separator: str = "") -> str:
    """Return the values joined; if one of them is markup, the others are escaped."""
    texts = [soft_str(scalar(value)) for value in values]
    printing.check_length(sum(map(len, texts)) + len(separator) * len(texts))
    joint = escape(separator) if any(isinstance(text, Markup) for text in texts) else separator
    text: str = context.charge(joint.join(texts))
    return text


@pass_context
def _replace(context: RenderContext, value: Any, old: str, new: str) -> Any:
    text = soft_str(scalar(value))
    printing.check_length(len(text) + text.count(old) * len(new))
    return context.charge(text.replace(old, new))


def _round(value: float, digits: int = 0) -> float:
    return round(float(value), max(-12, min(int(digits), 12)))


def _truncate(value: Any, length: int = 80, end: str = "…") -> str:
    text = soft_str(scalar(value))
    return text if len(text) <= length else text[: max(length - len(end), 0)] + end


def _percent_encoded(text: str) -> str:
    """Return what urllib.parse.quote does with only RFC 3986's unreserved characters safe, in half the time."""
    return "".join(map(_PERCENT.__getitem__, text.encode()))


def _of_text(method: Callable[[str], str]) -> Callable[[Any], str]:
    def filtered(value: Any) -> str:
        return method(value if type(value) is str else soft_str(scalar(value)))

    return filtered


ALLOWED: Mapping[str, Callable[..., Any]] = {
    **{name: stock.FILTERS[name] for name in _STOCK},
    "capitalize": _of_text(str.capitalize),
    "e": _of_text(escape),
    "escape": _of_text(escape),
    "join": joined,
    "lower": _of_text(str.lower),
    "replace": _replace,
    "round": _round,
    "string": _of_text(lambda text: text),
    "striptags": _of_text(lambda text: _TAGS.sub("", text)),
    "title": _of_text(str.title),
    "trim": _of_text(str.strip),
    "truncate": _truncate,
    "upper": _of_text(str.upper),
    "urlencode": _of_text(_percent_encoded),
}
