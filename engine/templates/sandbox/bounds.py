"""Bounds on templates: loops are charged, operators checked, unwanted constructs refused."""

import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from jinja2 import Environment, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.visitor import NodeTransformer

from engine.templates.sandbox import printing

RANGE_MAX = 1_000
NUMBER_BITS_MAX = 4_096

_REFUSED = (
    nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block, nodes.NSRef,
    nodes.EvalContextModifier, nodes.Macro, nodes.CallBlock,
)  # fmt: skip
_WIDE_FORMAT = re.compile(r"%[^%a-zA-Z]*(\d{3}|\*)")


class Rewriter(NodeTransformer):
    """Rewrites a parsed template so that its loops are charged; raises TemplateSyntaxError for refused constructs."""

    def __init__(self, environment: Environment, name: str | None, filename: str | None) -> None:
        self._environment = environment
        self._place = (name, filename)

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Return the node that replaces this one."""
        if isinstance(node, _REFUSED):
            raise TemplateSyntaxError(f"{type(node).__name__}: has no place here", node.lineno, *self._place)
        if isinstance(node, nodes.Name) and node.ctx != "load" and node.name.startswith("_"):
            raise TemplateSyntaxError("names with a leading underscore are reserved", node.lineno, *self._place)
        replaced = super().visit(node, *args, **kwargs)
        return _REWRITES[type(node)](self, replaced) if type(node) in _REWRITES else replaced

    def loop(self, node: nodes.For) -> nodes.Node:
        """Charge a loop before it starts: for its rounds, static text and printed expressions."""
        if node.recursive:
            raise TemplateSyntaxError("recursive loops have no place here", node.lineno, *self._place)
        static = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        printed = sum(len(output.nodes) for output in node.find_all(nodes.Output))
        price = nodes.Const(max(static + printed, printing.ROUND_UNITS), lineno=node.lineno)
        node.iter = self._through("_rounds", node.iter, price)
        return node

    def concatenation(self, node: nodes.Concat) -> nodes.Node:
        """Replace `a ~ b` by the `join` filter, which checks the length."""
        return self._through("join", nodes.List(node.nodes, lineno=node.lineno))

    def subscript(self, node: nodes.Getitem) -> nodes.Node:
        """Refuse lists as keys in `a[b]`: the message for a missing key contains the whole key."""
        if not isinstance(node.arg, (nodes.Const, nodes.Slice)):
            node.arg = self._through("_scalar", node.arg)
        return node

    def _through(self, name: str, node: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
        wrapped = nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
        return wrapped.set_environment(self._environment)  # type: ignore[return-value]  # it returns itself


_REWRITES: Mapping[type, Callable[[Rewriter, Any], nodes.Node]] = {
    nodes.For: Rewriter.loop,
    nodes.Concat: Rewriter.concatenation,
    nodes.Getitem: Rewriter.subscript,
}


@pass_context
def rounds(context: printing.RenderContext, values: Any, price: int) -> Any:
    """Return the items of a loop after charging all its rounds."""
    items = values if hasattr(values, "__len__") else list(islice(values, printing.UNITS_MAX // price + 1))
    context.spend(len(items) * price)
    return items


def short_range(*bounds: int) -> range:
    """Return `range(*bounds)`; raise SecurityError for more than RANGE_MAX numbers."""
    numbers = range(*bounds)
    if len(numbers) > RANGE_MAX:
        raise SecurityError(f"range: more than {RANGE_MAX} numbers")
    return numbers


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Raise SecurityError if the result of `left operator right` could be far larger than its operands."""
    if isinstance(left, (list, tuple)) or (isinstance(right, (list, tuple)) and operator != "%"):
        raise SecurityError(f"{operator}: not for lists")
    if operator == "%" and isinstance(left, str):
        _check_format(left, right)
    elif operator == "*":
        _check_multiply(left, right)
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() * max(right, 0))


def _check_multiply(left: Any, right: Any) -> None:
    if isinstance(right, str):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, int):
        printing.check_length(len(left) * right)
    elif isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())


def _check_format(pattern: str, values: Any) -> None:
    if _WIDE_FORMAT.search(pattern):
        raise SecurityError("%: widths have at most two digits")
    each = values.values() if isinstance(values, dict) else values if isinstance(values, tuple) else (values,)
    printing.check_length(len(pattern) + sum(len(str(printing.scalar(value))) for value in each))


def _check_bits(bits: int) -> None:
    if bits > NUMBER_BITS_MAX:
        raise SecurityError(f"a number of more than {NUMBER_BITS_MAX} bits")
