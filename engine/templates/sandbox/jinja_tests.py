"""The tests that templates may use after `is`: comparisons are charged, and those for text or numbers refuse others."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import pass_context
from jinja2 import tests as stock
from jinja2.exceptions import SecurityError
from markupsafe import soft_str

from engine.templates.sandbox.printing import RenderContext, scalar

_CHEAP = (
    "boolean", "defined", "escaped", "false", "float", "integer", "iterable", "mapping", "none", "number",
    "sameas", "sequence", "string", "true", "undefined",
)  # fmt: skip
_COMPARISONS = (
    "!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "in", "le", "lessthan", "lt", "ne",
)  # fmt: skip


def _compared(name: str) -> Callable[..., bool]:
    method: Callable[..., object] = stock.TESTS[name]  # type: ignore[assignment]  # it lists functions

    @pass_context
    def tested(context: RenderContext, value: Any, other: Any) -> bool:
        context.scan(value)
        context.scan(other)
        return bool(method(value, other))

    return tested


def _of_text(name: str) -> Callable[..., bool]:
    method: Callable[..., object] = stock.TESTS[name]  # type: ignore[assignment]  # it lists functions

    @pass_context
    def tested(context: RenderContext, value: Any) -> bool:
        text = soft_str(scalar(value))
        context.spend(len(text))
        return bool(method(text))

    return tested


def _of_numbers(name: str) -> Callable[..., bool]:
    """Return a test that divides: of a text, `%` would be a format."""
    method: Callable[..., object] = stock.TESTS[name]  # type: ignore[assignment]  # it lists functions

    def tested(*numbers: Any) -> bool:
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise SecurityError(f"is {name}: only for numbers")
        return bool(method(*numbers))

    return tested


ALLOWED: Mapping[str, Callable[..., Any]] = {
    **{name: stock.TESTS[name] for name in _CHEAP},  # type: ignore[misc]  # as above
    **{name: _compared(name) for name in _COMPARISONS},
    **{name: _of_text(name) for name in ("lower", "upper")},
    **{name: _of_numbers(name) for name in ("divisibleby", "even", "odd")},
}
