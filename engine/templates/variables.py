"""The variables of a template: find the required ones, and check values before a render."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from jinja2 import meta, nodes

from errors import Fault

JSON_BYTES_MAX = 65_536
DEPTH_MAX = 32
OF_CONTACT = ("nombre", "apellido", "empresa", "cargo", "industria")  # its columns; empty in an e-mail if unknown

_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_NOT_IN_SUBJECT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_JSON_BYTES_A_CHAR = 6  # at most: a control character in a name; the punctuation of a pair counts as two
_SCALARS = frozenset({str, int, float, bool, type(None)})
_NOTHING: frozenset[str] = frozenset()


def named(tree: nodes.Template) -> frozenset[str]:
    """Return the names of all variables that the template does not set itself."""
    return frozenset(meta.find_undeclared_variables(tree))


def required(tree: nodes.Template) -> frozenset[str]:
    """Return the variables that must be present: used at least once without a guard (`default` or `is defined`)."""
    return frozenset(_unguarded(tree, _NOTHING)) & named(tree)


def faults(variables: Mapping[str, object], *, required: Collection[str], in_subject: Collection[str]) -> list[Fault]:
    """Return a fault for each missing variable and each value that no e-mail can contain."""
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
        problems.append(Fault("variables", f"are too long: at most {JSON_BYTES_MAX} bytes of JSON are accepted"))
    return problems


def short_chars(variables: Mapping[str, object]) -> int | None:
    """Return the number of characters in names and values if all values are printable text and short; else None.

    Such variables have no fault, so most need no further check.
    """
    chars = 0
    for name, value in variables.items():
        if type(value) is not str or not value.isprintable():
            return None
        chars += len(name) + len(value) + 2
    return chars if chars * _JSON_BYTES_A_CHAR <= JSON_BYTES_MAX else None


def are_plain(variables: Mapping[str, object]) -> bool:
    """Return True if all values are plain data."""
    values = variables.values()
    return _SCALARS.issuperset(map(type, values)) or all(map(is_plain, values))


def is_plain(value: object, depth: int = DEPTH_MAX) -> bool:
    """Return True for a text, number, boolean or none, and for lists and objects of these."""
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
        return "appears in the subject and contains a line break or control character: send it without"
    return "contains a NUL or half a surrogate pair: send valid text"


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a plain value, including keys."""
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
    """Yield the names used under `node` that would be an error if absent; those in `defined` are present."""
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
    """Return the names that are certainly defined if the result of `test` is `outcome`."""
    if isinstance(test, nodes.Not):
        return _defined_if(test.node, not outcome)
    if (isinstance(test, nodes.And) and outcome) or (isinstance(test, nodes.Or) and not outcome):
        return _defined_if(test.left, outcome) | _defined_if(test.right, outcome)
    if isinstance(test, nodes.Test) and isinstance(test.node, nodes.Name):
        expected = "defined" if outcome else "undefined"
        return frozenset({test.node.name}) if test.name == expected else _NOTHING
    return _NOTHING
