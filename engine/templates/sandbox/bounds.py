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

_REFUSED = (
    nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block, nodes.NSRef,
    nodes.EvalContextModifier, nodes.Macro, nodes.CallBlock,
)  # fmt: skip
_FORMAT = re.compile(r"(?:[^%]|%%|%(?:\([^()%]*\))?[-+ #0]*\d{0,2}(?:\.\d{0,2})?[sdiufFeEgGxXoc])*", re.DOTALL)
_CONVERSION_CHARS = 512  # at most, besides the value: the width, or a number of 309 digits with 99 behind its point


class Rewriter(NodeTransformer):
    """Rewrites a parsed template so that its loops are charged; raises TemplateSyntaxError for refused constructs."""

    def __init__(self, environment: Environment, name: str | None, filename: str | None) -> None:
        self._environment = environment
        self._place = (name, filename)

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Return the node that replaces this one."""
        if isinstance(node, _REFUSED):
            raise TemplateSyntaxError(f"{type(node).__name__}: has no place here", node.lineno, *self._place)
        if (
            isinstance(node, nodes.Const)
            and isinstance(node.value, int)
            and node.value.bit_length() > printing.NUMBER_BITS_MAX
        ):
            raise TemplateSyntaxError(
                f"a number of more than {printing.NUMBER_BITS_MAX} bits", node.lineno, *self._place
            )
        if isinstance(node, nodes.Name) and node.ctx != "load" and node.name.startswith("_"):
            raise TemplateSyntaxError("names with a leading underscore are reserved", node.lineno, *self._place)
        replaced = super().visit(node, *args, **kwargs)
        return _REWRITES[type(node)](self, replaced) if type(node) in _REWRITES else replaced

    def loop(self, node: nodes.For) -> nodes.Node:
        """Charge a loop before it starts: for its rounds, static text, expressions and statements."""
        if node.recursive:
            raise TemplateSyntaxError("recursive loops have no place here", node.lineno, *self._place)
        static = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        steps = sum(1 for _ in node.find_all(nodes.Node))
        price = nodes.Const(max(static + steps, printing.ROUND_UNITS), lineno=node.lineno)
        node.iter = self._through("_rounds", node.iter, price)
        return node

    def concatenation(self, node: nodes.Concat) -> nodes.Node:
        """Replace `a ~ b` by the `join` filter, which checks the length."""
        return self._through("join", nodes.List(node.nodes, lineno=node.lineno))

    def subscript(self, node: nodes.Getitem) -> nodes.Node:
        """Charge the copy that `a[b:c]` makes; refuse lists as keys in `a[b]`, which an error would print whole."""
        if isinstance(node.arg, nodes.Slice):
            return self._through("_copied", node)
        if not isinstance(node.arg, nodes.Const):
            node.arg = self._through("_scalar", node.arg)
        return node

    def pair(self, node: nodes.Pair) -> nodes.Node:
        """Refuse lists as keys in `{a: b}`: a nested tuple that holds itself many times takes for ever to hash."""
        if not isinstance(node.key, nodes.Const):
            node.key = self._through("_scalar", node.key)
        return node

    def comparison(self, node: nodes.Compare) -> nodes.Node:
        """Charge the operands, unless one is a literal: it ends the comparison early."""
        if len(node.ops) == 1:
            [operand] = node.ops
            if _is_literal(operand.expr) or (_is_literal(node.expr) and operand.op not in ("in", "notin")):
                return node
        node.expr = self._through("_scanned", node.expr)
        for operand in node.ops:
            operand.expr = self._through("_searched" if operand.op in ("in", "notin") else "_scanned", operand.expr)
        return node

    def _through(self, name: str, node: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
        wrapped = nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
        return wrapped.set_environment(self._environment)  # type: ignore[return-value]  # it returns itself


_REWRITES: Mapping[type, Callable[[Rewriter, Any], nodes.Node]] = {
    nodes.For: Rewriter.loop,
    nodes.Compare: Rewriter.comparison,
    nodes.Concat: Rewriter.concatenation,
    nodes.Getitem: Rewriter.subscript,
    nodes.Pair: Rewriter.pair,
}


def _is_literal(node: nodes.Expr) -> bool:
    """Return True for a text, a number, or a list of these, as it stands in the source."""
    items = node.items if isinstance(node, (nodes.List, nodes.Tuple)) else [node]
    return all(isinstance(item, nodes.Const) for item in items)


@pass_context
def rounds(context: printing.RenderContext, values: Any, price: int) -> Any:
    """Return the items of a loop after charging all its rounds."""
    price = max(price, printing.ROUND_UNITS)  # a template may call this by name
    items = values if hasattr(values, "__len__") else list(islice(values, printing.UNITS_MAX // price + 1))
    context.spend(len(items) * price)
    return items


@pass_context
def _scanned(context: printing.RenderContext, value: Any) -> Any:
    context.scan(value)
    return value


@pass_context
def _searched(context: printing.RenderContext, value: Any) -> Any:
    """Return the text or list that `in` searches; a dict finds its keys without a search."""
    return value if isinstance(value, dict) else _scanned(context, value)


@pass_context
def _copied(context: printing.RenderContext, value: Any) -> Any:
    return context.copied(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "_copied": _copied,
    "_rounds": rounds,
    "_scalar": printing.scalar,
    "_scanned": _scanned,
    "_searched": _searched,
}
"""The filters that the rewriter adds."""


def short_range(*bounds: int) -> range:
    """Return `range(*bounds)`; raise SecurityError for more than RANGE_MAX numbers."""
    numbers = range(*bounds)
    if len(numbers) > RANGE_MAX:
        raise SecurityError(f"range: more than {RANGE_MAX} numbers")
    return numbers


def check_operation(context: printing.RenderContext, operator: str, left: Any, right: Any) -> None:
    """Raise SecurityError if the result of `left operator right` could be far larger than its operands."""
    if isinstance(left, (list, tuple)) or (isinstance(right, (list, tuple)) and operator != "%"):
        raise SecurityError(f"{operator}: not for lists")
    if operator == "%" and isinstance(left, str):
        context.scan(right)
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
    """Raise SecurityError if the result could be long; a value of a dict can be printed any number of times."""
    if not _FORMAT.fullmatch(pattern):
        raise SecurityError("%: takes s, d, i, u, f, e, g, x, o and c, with widths of at most two digits")
    each = values.values() if isinstance(values, dict) else values if isinstance(values, tuple) else (values,)
    lengths = [len(str(printing.scalar(value))) for value in each]
    conversions = pattern.count("%")
    most = conversions * max(lengths, default=0) if isinstance(values, dict) else sum(lengths)
    printing.check_length(len(pattern) + most + conversions * _CONVERSION_CHARS)


def _check_bits(bits: int) -> None:
    if bits > printing.NUMBER_BITS_MAX:
        raise SecurityError(f"a number of more than {printing.NUMBER_BITS_MAX} bits")
