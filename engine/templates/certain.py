"""Mails that cannot fail: told by their variables and the shape of their template, without a trial rendering.

The shape: it prints variables that must be given, and asks whether they are empty; nothing else. A template with a
filter, a loop or an expression in it is tried out, as is any mail whose links look unusual.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from engine.templates import links, sandbox, variables
from engine.templates.sandbox.code_generator import RESERVED_NAMES

_OURS = frozenset({links.UNSUBSCRIBE, links.PIXEL})
_OCTETS_A_CHAR = 5  # at most: four in UTF-8, five where HTML escapes it
_STRANGE = frozenset("&<>'\"")  # what HTML escapes, so that an address in it is read back
_TESTS = (nodes.Not, nodes.And, nodes.Or)


class _Uncertain(Exception):
    """The template holds something that may fail."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What keeps a mail of one template from failing: these variables, so many characters, links that lead on."""

    required: frozenset[str]
    chars_max: int
    ways: tuple[tuple[str, str], ...]  # links: what stands before a variable, and its name

    def takes(self, given: Mapping[str, object]) -> bool:
        """Whether these variables surely make a mail; False says nothing."""
        chars = variables.short_chars(given)
        if chars is None or chars > self.chars_max or not given.keys() >= self.required:
            return False
        return all(_leads_on(begin, given[name]) for begin, name in self.ways)


def shape(
    written: Iterable[nodes.Template], targets: Iterable[nodes.Template], required: Collection[str]
) -> Shape | None:
    """What a template must be given; None for one that has to be tried out.

    `written` are its subject and bodies, `targets` its links, `required` what it cannot do without.
    """
    names = frozenset(required) - RESERVED_NAMES
    try:
        prints = max(_prints(tree.body, names | _OURS) for tree in written)
        ways = {_way(tree.body, names) for tree in targets}
    except _Uncertain:
        return None
    room = sandbox.OUTPUT_BYTES_MAX - 2 * sandbox.SOURCE_BYTES_MAX  # a line end of one byte leaves as CRLF
    return Shape(frozenset(required), room // (_OCTETS_A_CHAR * (prints + 1)), tuple(way for way in ways if way))


def _leads_on(begin: str, value: object) -> bool:
    return isinstance(value, str) and _STRANGE.isdisjoint(value) and links.web_target(begin + value) is not None


def _prints(body: Iterable[nodes.Node], names: Collection[str]) -> int:
    """How often a variable is printed at most; raises _Uncertain."""
    return sum(_printed(node, names) for node in body)


def _printed(node: nodes.Node, names: Collection[str]) -> int:
    if isinstance(node, nodes.TemplateData):
        return 0
    if isinstance(node, nodes.Name) and node.name in names:
        return 1
    if isinstance(node, nodes.Output):
        return _prints(node.nodes, names)
    if isinstance(node, nodes.If) and _is_asked(node.test, names):
        return _prints([*node.body, *node.elif_, *node.else_], names)
    if isinstance(node, nodes.FilterBlock) and node.filter.node is None and node.filter.name == links.CLICKED:
        return _prints(node.body, names)
    raise _Uncertain


def _is_asked(test: nodes.Node, names: Collection[str]) -> bool:
    """Whether a test only asks if variables are empty."""
    if isinstance(test, _TESTS):
        return all(_is_asked(part, names) for part in test.iter_child_nodes())
    return isinstance(test, nodes.Name) and test.name in names


def _way(body: Iterable[nodes.Node], names: Collection[str]) -> tuple[str, str] | None:
    """What a link leads to; None if that is the same in every mail. Raises _Uncertain."""
    parts = [part for output in body for part in (output.nodes if isinstance(output, nodes.Output) else [output])]
    begin = ""
    if parts and isinstance(parts[0], nodes.TemplateData):
        begin, parts = parts[0].data, parts[1:]
    if not parts and links.web_target(begin) is not None:
        return None
    if len(parts) == 1 and isinstance(parts[0], nodes.Name) and parts[0].name in names:
        return begin, parts[0].name
    raise _Uncertain
