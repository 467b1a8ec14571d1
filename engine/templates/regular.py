"""Regular templates: all that their mails differ in is which variables are there, which are empty, and what they say.

Such a template prints variables, or a fixed text in their stead, and asks whether they are there or empty; it puts
nothing together, and looks into nothing. See `skeletons`.
"""

import re
from collections.abc import Iterable

from jinja2 import nodes

from engine.templates import links
from engine.templates.sandbox.code_generator import RESERVED_NAMES

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def is_regular(written: Iterable[nodes.Template]) -> bool:
    """Whether a template of these parts is; one with a control character in its text is not."""
    return all(_are_regular(tree.body) for tree in written)


def _are_regular(body: Iterable[nodes.Node]) -> bool:
    return all(map(_is_statement, body))


def _is_statement(node: nodes.Node) -> bool:
    match node:
        case nodes.Output(nodes=printed):
            return all(map(_is_printed, printed))
        case nodes.If(test=test, body=body, elif_=others, else_=otherwise):
            return _is_asked(test) and _are_regular([*body, *others, *otherwise])
        case nodes.FilterBlock(filter=nodes.Filter(node=None, name=links.CLICKED), body=body):
            return all(isinstance(part, nodes.Output) for part in body) and _are_regular(body)
    return False


def _is_printed(node: nodes.Node) -> bool:
    match node:
        case nodes.TemplateData(data=text):
            return _CONTROL.search(text) is None
        case nodes.Name(name=name):
            return name not in RESERVED_NAMES
        case nodes.Filter(node=nodes.Name() as name, name=("default" | "d"), args=args, kwargs=[]):
            return _is_printed(name) and all(map(_is_fixed, args))
        case nodes.CondExpr(test=test, expr1=chosen, expr2=nodes.Node() as otherwise):
            return _is_asked(test) and _is_printed(chosen) and _is_printed(otherwise)
    return _is_fixed(node)


def _is_fixed(node: nodes.Node) -> bool:
    match node:
        case nodes.Const(value=bool()):
            return True
        case nodes.Const(value=str() as text):
            return text.isprintable()
    return False


def _is_asked(test: nodes.Node) -> bool:
    """Whether a test only asks if variables are there, or empty."""
    match test:
        case nodes.Name(name=name):
            return name not in RESERVED_NAMES
        case nodes.Test(node=nodes.Name() as name, name=("defined" | "undefined")):
            return _is_asked(name)
        case nodes.Not() | nodes.And() | nodes.Or():
            return all(map(_is_asked, test.iter_child_nodes()))
    return False
