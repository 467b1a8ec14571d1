"""Pydantic's findings as faults by field, in the words of this API: the value, the fault, and a valid form."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

import errors
from errors import Fault

_NAME = re.compile(r"[\w-]{1,64}")
_QUOTED = re.compile(r"'([^']*)'")
_OF_A_KEY = "[key]"  # at the end of a path: the finding is about a name in an object
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true or false"),
    (str, "a text"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (dict, "an object"),
)


def of(error: ValidationError, model: type[BaseModel], *, under: str = "") -> list[Fault]:
    """Return a fault for each finding about a `model`, with fields named below `under`.

    A value is repeated only if it is one of a fixed set or a number with bounds: others may name a person.
    """
    findings = error.errors(include_url=False)
    return [Fault(under + field(finding["loc"]), _message(finding, model)) for finding in findings]


def field(path: Sequence[str | int]) -> str:
    """Return a field's path as text, such as `emails[3].to`; an implausible name is not repeated."""
    steps = [step for step in path if step != _OF_A_KEY]
    texts = [f"[{step}]" if isinstance(step, int) else f".{step if _NAME.fullmatch(step) else '?'}" for step in steps]
    return "".join(texts).removeprefix(".") or "body"


def _message(finding: Mapping[str, Any], model: type[BaseModel]) -> str:
    path, value, context = finding["loc"], finding["input"], finding.get("ctx", {})
    if finding["type"] == "extra_forbidden":
        known = _fields(model, path[:-1])
        name = path[-1] if _NAME.fullmatch(str(path[-1])) else "@"
        return errors.unknown(str(name), known, fault="is not a field here")
    message = _MESSAGES.get(finding["type"], _other)(value, context)
    return f"a name in it {message}" if path and path[-1] == _OF_A_KEY else message


def _fields(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the names of the fields of the object at `path` within a `model`."""
    for step in path:
        inner = model.model_fields[step].annotation if isinstance(step, str) else None
        model = _model_in(inner) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _kind(value: object) -> str:
    return "null" if value is None else next((name for kind, name in _KINDS if isinstance(value, kind)), "a value")


def _give(expected: str) -> Callable[[Any, Mapping[str, Any]], str]:
    return lambda value, _: f"is {_kind(value)}; give {expected}"


def _parsed(expected: str) -> Callable[[Any, Mapping[str, Any]], str]:
    return lambda value, _: f"{errors.shown(str(value))} is not {expected}; give {expected}"


def _one_of(value: Any, context: Mapping[str, Any]) -> str:
    names = _QUOTED.findall(context["expected"])
    return errors.unknown(value, names) if isinstance(value, str) else _give(f"one of {', '.join(names)}")(value, {})


def _too_long(value: Any, context: Mapping[str, Any]) -> str:
    return f"has {len(value)} {_parts(value)}; at most {context['max_length']} are taken"


def _too_short(value: Any, context: Mapping[str, Any]) -> str:
    return f"has {len(value) or 'no'} {_parts(value)}; give at least {context['min_length']}"


def _parts(value: Any) -> str:
    return "characters" if isinstance(value, str) else "entries"


def _other(value: Any, _: Mapping[str, Any]) -> str:
    return f"is {_kind(value)} that does not fit here"


_MESSAGES: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "missing": lambda *_: "is missing",
    "value_error": lambda _, context: str(context["error"]),
    "literal_error": _one_of,
    "string_type": _give("a text"),
    "string_too_long": _too_long,
    "string_too_short": _too_short,
    "too_long": _too_long,
    "too_short": _too_short,
    "int_type": _give("a whole number"),
    "int_from_float": _give("a whole number"),
    "int_parsing": _parsed("a whole number"),
    "int_parsing_size": _parsed("a whole number of this size"),
    "float_type": _give("a number"),
    "finite_number": _give("a finite number"),
    "bool_type": _give("true or false"),
    "bool_parsing": lambda value, _: f"{errors.shown(str(value))} is neither true nor false",
    "less_than_equal": lambda value, context: f"is {value}; give at most {context['le']}",
    "greater_than_equal": lambda value, context: f"is {value}; give at least {context['ge']}",
    "uuid_type": _give("an id as a text"),
    "uuid_parsing": lambda value, _: f"{errors.shown(str(value))} is not an id; give one with 32 hex digits",
    "dict_type": _give("an object"),
    "model_type": _give("an object"),
    "model_attributes_type": _give("an object"),
    "list_type": _give("a list"),
}
