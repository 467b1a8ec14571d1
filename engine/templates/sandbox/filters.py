"""The filters that templates may use: their output is bounded, and those for text refuse lists."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import filters as stock
from jinja2 import pass_context
from jinja2.exceptions import SecurityError
from markupsafe import Markup, escape, soft_str

from engine.templates.sandbox import printing
from engine.templates.sandbox.printing import RenderContext, scalar

_PERCENT = tuple(quote(bytes([byte]), safe="") for byte in range(256))
_TAGS = re.compile(r"<[^<>]*>")
# Jinja's own filters, by their cost and by the type of their first argument.
_CHEAP = ("abs", "count", "d", "default", "first", "last", "length")
_THROUGH_ALL = ("dictsort", "float", "items")
_WITH_ENVIRONMENT = ("max", "min", "sort", "unique")
_WITH_CONTEXT = ("map", "reject", "rejectattr", "select", "selectattr")


@pass_context
def finalize(context: RenderContext, value: Any) -> str:
    """Return the text that `{{ value }}` prints, after charging its length."""
    text = printing.printed(value)
    context.spend(len(text))
    return text


@pass_context
def joined(context: RenderContext, values: Iterable[Any], separator: str = "") -> str:
    """Return the values joined; if one of them is markup, the others are escaped."""
    values = context.copied(values)
    context.scan(values)
    texts = [soft_str(scalar(value)) for value in values]
    printing.check_length(sum(map(len, texts)) + len(separator) * len(texts))
    joint = escape(separator) if any(isinstance(text, Markup) for text in texts) else separator
    text: str = context.charge(joint.join(texts))
    return text


@pass_context
def _replace(context: RenderContext, value: Any, old: str, new: str) -> Any:
    text = soft_str(scalar(value))
    context.spend(len(text))
    printing.check_length(len(text) + text.count(old) * len(new))
    return context.charge(text.replace(old, new))


def _round(value: float, digits: int = 0) -> float:
    return round(float(value), max(-12, min(int(digits), 12)))


@pass_context
def _truncate(context: RenderContext, value: Any, length: int = 80, end: str = "…") -> str:
    text = soft_str(scalar(value))
    short: str = context.charge(text if len(text) <= length else text[: max(length - len(end), 0)] + end)
    return short


def _percent_encoded(text: str) -> str:
    """Return what urllib.parse.quote does with only RFC 3986's unreserved characters safe, in half the time."""
    return "".join(map(_PERCENT.__getitem__, text.encode()))


@pass_context
def _list(context: RenderContext, value: Any) -> list[Any]:
    items: list[Any] = context.copied(list(value))
    return items


@pass_context
def _int(context: RenderContext, value: Any, default: int = 0, base: int = 10) -> int:
    context.scan(value)
    number: int = stock.FILTERS["int"](value, default, base)
    if number.bit_length() > printing.NUMBER_BITS_MAX:
        raise SecurityError(f"a number of more than {printing.NUMBER_BITS_MAX} bits")
    return number


def _of_text(method: Callable[[str], str]) -> Callable[..., str]:
    """Return a filter for text that charges its input and its output."""

    @pass_context
    def filtered(context: RenderContext, value: Any) -> str:
        text = value if type(value) is str else soft_str(scalar(value))
        context.spend(len(text))
        made = method(text)
        context.spend(len(made))
        return made

    return filtered


def _charged(name: str) -> Callable[..., Any]:
    """Return Jinja's filter of that name, which charges its input, arguments and output; iterators become lists."""
    method = stock.FILTERS[name]

    @pass_context
    def filtered(context: RenderContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        context.scan(value)
        for arg in (*args, *kwargs.values()):
            context.scan(arg)
            if isinstance(arg, str) and "." in arg and hasattr(value, "__len__"):  # the path of an attribute
                context.spend(len(value) * arg.count("."))
        if name in _WITH_CONTEXT:
            return context.copied(method(context, value, *args, **kwargs))
        if name in _WITH_ENVIRONMENT:
            return context.copied(method(context.environment, value, *args, **kwargs))
        return context.copied(method(value, *args, **kwargs))

    return filtered


ALLOWED: Mapping[str, Callable[..., Any]] = {
    **{name: stock.FILTERS[name] for name in _CHEAP},
    **{name: _charged(name) for name in (*_THROUGH_ALL, *_WITH_ENVIRONMENT, *_WITH_CONTEXT)},
    "capitalize": _of_text(str.capitalize),
    "e": _of_text(escape),
    "escape": _of_text(escape),
    "int": _int,
    "join": joined,
    "list": _list,
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
