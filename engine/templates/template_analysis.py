"""Prove that a render will succeed, to skip the trial render, and that it can be prerendered.

Both are proved of simple templates: they print variables or fixed texts, and test whether variables are present or
empty. A template with a loop, a filter other than `default` or any other expression is not simple.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import nodes

from engine.templates import links, sandbox, variables
from engine.templates.sandbox.code_generator import RESERVED_NAMES

_OCTETS_PER_CHAR = 5  # at most: four in UTF-8, five where HTML escapes it
_ADDRESS_CHARS = 30  # at most, of the addresses in a trial render
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class SafeVariables:
    """The bounds within which variables cannot make the render of one template fail."""

    required: frozenset[str]
    chars_max: int
    targets: tuple[tuple[str, str], ...]  # of links that end in a variable: the text before it, and its name

    def include(self, values: Mapping[str, object]) -> bool:
        """Return True if these variables certainly render; False leaves it open."""
        chars = variables.short_chars(values)
        if chars is None or chars > self.chars_max or not values.keys() >= self.required:
            return False
        return all(links.web_target(f"{begin}{values[name]}") is not None for begin, name in self.targets)


def is_simple(trees: Iterable[nodes.Template]) -> bool:
    """Return True if the templates only print and test variables, and no text in them has a control character."""
    return all(_is_simple(part) for tree in trees for part in _parts(tree.body))


def safe_variables(
    trees: Sequence[nodes.Template], targets: Iterable[nodes.Template], required: frozenset[str]
) -> SafeVariables | None:
    """Return the bounds for one template; None if its variables always need a trial render.

    `trees` are its subject and bodies, `targets` those of its links, `required` the variables that must be present.
    """
    ends = [_end(target.body, required) for target in targets]
    if not is_simple(trees) or None in ends:
        return None
    return SafeVariables(required, min(map(_chars_max, trees)), tuple(end for end in ends if end and end[1]))


def _parts(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    """Yield the texts and expressions that are printed or tested; yield any other statement itself."""
    for node in body:
        match node:
            case (
                nodes.Output()
                | nodes.If()
                | nodes.Not()
                | nodes.And()
                | nodes.Or()
                | nodes.CondExpr(expr2=nodes.Expr())
            ):
                yield from _parts(node.iter_child_nodes())
            case nodes.FilterBlock(filter=nodes.Filter(node=None, name=links.CLICKED), body=inner):
                yield from _parts(inner)
            case _:
                yield node


def _is_simple(part: nodes.Node) -> bool:
    match part:
        case nodes.TemplateData(data=text):
            return _CONTROL.search(text) is None
        case nodes.Const(value=str() as text):
            return text.isprintable()
        case nodes.Const(value=value):
            return isinstance(value, bool)
        case nodes.Name(name=name):
            return name not in RESERVED_NAMES and name != links.NAME
        case nodes.Filter(node=nodes.Name() as name, name=("default" | "d"), kwargs=[], dyn_args=None, dyn_kwargs=None):
            return all(isinstance(arg, nodes.Const) for arg in part.args) and all(map(_is_simple, [name, *part.args]))
        case nodes.Test(node=nodes.Name() as name, name=("defined" | "undefined")):
            return _is_simple(name)
    return False


def _chars_max(tree: nodes.Template) -> int:
    """Return how many characters all variables together may have, so that no render exceeds the limit."""
    fixed = sum(len(text.data) for text in tree.find_all(nodes.TemplateData))
    fixed += sum(len(str(const.value)) for const in tree.find_all(nodes.Const))
    prints = sum(1 for _ in tree.find_all(nodes.Name))
    return (sandbox.OUTPUT_BYTES_MAX // _OCTETS_PER_CHAR - fixed) // max(prints, 1) - _ADDRESS_CHARS


def _end(target: Iterable[nodes.Node], required: Collection[str]) -> tuple[str, str] | None:
    """Return the fixed text of a link's target and the variable it ends in, if any; None for any other target."""
    parts = [part for node in target for part in (node.nodes if isinstance(node, nodes.Output) else [node])]
    match parts:
        case [nodes.TemplateData(data=text)] if links.web_target(text) is not None:
            return text, ""
        case [nodes.Name(name=name)] if name in required:
            return "", name
        case [nodes.TemplateData(data=text), nodes.Name(name=name)] if name in required:
            return text, name
    return None
