"""The variables of a template: which ones it needs, and what keeps given ones from being used."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from jinja2 import meta, nodes

from errors import Fault

JSON_BYTES_MAX = 65_536
DEPTH_MAX = 32

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NOT_IN_SUBJECT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JSON_BYTES_A_CHAR = 6  # at most: a control character in a name; eight marks of a pair count as two characters
_SCALARS = frozenset({str, int, float, bool, type(None)})
_NOTHING: frozenset[str] = frozenset()


def named(tree: nodes.Template) -> frozenset[str]:
    """Every variable the template takes from outside."""
    return frozenset(meta.find_undeclared_variables(tree))


def required(tree: nodes.Template) -> frozenset[str]:
    """The variables the template cannot do without: named somewhere without `default` or `is defined` about it."""
    return frozenset(_unguarded(tree, _NOTHING)) & named(tree)


def faults(variables: Mapping[str, object], *, required: Collection[str], in_subject: Collection[str]) -> list[Fault]:
    """What is wrong with the variables as data: all that are missing, and each value that no mail can hold."""
    problems = [
        Fault(f"variables.{name}", "is missing: the template needs it")
        for name in sorted(required)
        if name not in variables
    ]
    if short_chars(variables) is not None:
        return problems
    for name, value in variables.items():
        problem = _problem(value, _NOT_IN_SUBJECT if name in in_subject else _FORBIDDEN)
        if problem:
            problems.append(Fault(f"variables.{name}", problem))
    if not problems and _json_bytes(variables) > JSON_BYTES_MAX:
        problems.append(Fault("variables", f"are too long: at most {JSON_BYTES_MAX} bytes of JSON are taken"))
    return problems


def short_chars(variables: Mapping[str, object]) -> int | None:
    """The characters in all values and names, if every value is a printable text and they are few; else None.

    Such have no fault, as nearly all have none.
    """
    chars = 0
    for name, value in variables.items():
        if type(value) is not str or not value.isprintable():
            return None
        chars += len(name) + len(value) + 2
    return chars if chars * _JSON_BYTES_A_CHAR <= JSON_BYTES_MAX else None


def are_plain(variables: Mapping[str, object]) -> bool:
    """Whether a template may see all of these values."""
    values = variables.values()
    return _SCALARS.issuperset(map(type, values)) or all(map(is_plain, values))


def is_plain(value: object, depth: int = DEPTH_MAX) -> bool:
    """Whether a template may see the value: text, number, boolean, none, or lists and objects of such."""
    if type(value) in _SCALARS:
        return True
    if depth == 0:
        return False
    if type(value) in (list, tuple):
        return all(is_plain(item, depth - 1) for item in value)  # type: ignore[attr-defined]  # its type is checked
    if type(value) is dict:
        return all(type(key) is str and is_plain(item, depth - 1) for key, item in value.items())
    return False


def _problem(value: object, forbidden: re.Pattern[str]) -> str | None:
    if not is_plain(value):
        return f"may hold text, numbers, booleans, lists and objects, nested at most {DEPTH_MAX} deep"
    if not any(forbidden.search(text) for text in _texts(value)):
        return None
    if forbidden is _NOT_IN_SUBJECT:
        return "stands in the subject and holds a line break or control character: send it without"
    return "holds a NUL or half a surrogate pair: send valid text"


def _texts(value: object) -> Iterator[str]:
    """Every text in a plain value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _json_bytes(variables: Mapping[str, object]) -> int:
    return len(json.dumps(dict(variables), ensure_ascii=False).encode("utf-8", "replace"))


def _unguarded(node: nodes.Node, defined: frozenset[str]) -> Iterator[str]:
    """The names used under `node` where they may be missing and that would be an error."""
    if isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name not in defined:
            yield node.name
    elif isinstance(node, nodes.Filter) and node.name in ("default", "d"):
        yield from _each([*_unless_name(node.node), *node.args], defined)
    elif isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
        yield from _each(_unless_name(node.node), defined)
    elif isinstance(node, nodes.If):
        yield from _unguarded(node.test, defined)
        yield from _each(node.body, defined | _defined_if(node.test, True))
        yield from _each([*node.elif_, *node.else_], defined | _defined_if(node.test, False))
    elif isinstance(node, nodes.CondExpr):
        yield from _unguarded(node.test, defined)
        yield from _unguarded(node.expr1, defined | _defined_if(node.test, True))
        yield from _each([node.expr2] if node.expr2 else [], defined | _defined_if(node.test, False))
    elif isinstance(node, (nodes.And, nodes.Or)):
        yield from _unguarded(node.left, defined)
        yield from _unguarded(node.right, defined | _defined_if(node.left, isinstance(node, nodes.And)))
    else:
        yield from _each(node.iter_child_nodes(), defined)


def _each(children: Iterable[nodes.Node], defined: frozenset[str]) -> Iterator[str]:
    for child in children:
        yield from _unguarded(child, defined)


def _unless_name(node: nodes.Node | None) -> list[nodes.Node]:
    return [] if node is None or isinstance(node, nodes.Name) else [node]


def _defined_if(test: nodes.Node, outcome: bool) -> frozenset[str]:
    """The names that are defined when `test` came out as `outcome`."""
    if isinstance(test, nodes.Not):
        return _defined_if(test.node, not outcome)
    if (isinstance(test, nodes.And) and outcome) or (isinstance(test, nodes.Or) and not outcome):
        return _defined_if(test.left, outcome) | _defined_if(test.right, outcome)
    if isinstance(test, nodes.Test) and isinstance(test.node, nodes.Name):
        expected = "defined" if outcome else "undefined"
        return frozenset({test.node.name}) if test.name == expected else _NOTHING
    return _NOTHING
