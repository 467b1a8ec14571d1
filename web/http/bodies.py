"""Strict reading of request bodies and headers: 415 wrong type, 413 too large, 400 invalid JSON, 422 by field.

Refuses JSON that Flask's reader accepts and the database cannot store: NaN and infinities, duplicate keys, NUL,
lone surrogates, nesting deeper than 32 (rule R27).
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NoReturn, TypeVar, get_origin

from flask import g, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from errors import InvalidInput, PayloadTooLarge
from web import process
from web.schemas.problems import faults

DEPTH_MAX = 32
_LIMIT = "__limit__"
_TYPES = "__types__"
_JSON = ("application/json",)
_CONTAINERS = frozenset({dict, list})
# The JSON parser refuses a raw NUL and the UTF-8 decoder a lone surrogate, so only an escape can produce either.
_PERHAPS_BAD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

Body = TypeVar("Body", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Any])


def at_most(setting: str) -> Callable[[View], View]:
    """Limit the view's body by the setting of this name instead of `body_limit_bytes`."""

    def declare(view: View) -> View:
        setattr(view, _LIMIT, setting)
        return view

    return declare


def takes(*types: str) -> Callable[[View], View]:
    """Accept these media types for the view's JSON body instead of application/json alone."""

    def declare(view: View) -> View:
        setattr(view, _TYPES, types)
        return view

    return declare


def is_left_out(model: type[BaseModel]) -> bool:
    """Return True if this request has no body and needs none: each field of the model has a default."""
    has_body = request.content_length or request.headers.get("Transfer-Encoding")
    return not has_body and _needs_none(model)


@lru_cache(maxsize=64)
def _needs_none(model: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def types_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return the media types that the view's body may have."""
    return getattr(view, _TYPES, _JSON)


def limit_of(view: Callable[..., Any]) -> str:
    """Return the name of the setting that limits the view's body."""
    return getattr(view, _LIMIT, "body_limit_bytes")


def read(model: type[Body], *, limit: str, types: Sequence[str] = _JSON) -> Body:
    """Return the JSON body of this request as a `model`; `limit` names the setting that limits its bytes."""
    data = raw(*types, limit=limit)
    g.body_bytes = len(data)
    g.body_json = parse(data)
    return validated(model, g.body_json)


def headers(model: type[Body]) -> Body:
    """Return the headers of this request that `model` declares, by their aliases."""
    # Werkzeug's mapping raises and catches an exception for every absent header.
    environ = request.environ
    return validated(model, {name: environ[key] for name, key in _header_keys(model) if key in environ})


def query(model: type[Body]) -> Body:
    """Return the parameters of this request's query as a `model`; only those of a list may be given repeatedly."""
    lists = _lists_in(model)
    parameters = dict(request.args.lists())
    if repeated := [name for name, values in parameters.items() if len(values) > 1 and name not in lists]:
        raise InvalidInput.of(faults.field(repeated[:1]), "is given more than once; give it once")
    return validated(model, {name: values if name in lists else values[0] for name, values in parameters.items()})


@lru_cache(maxsize=64)
def _lists_in(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of a model's fields that hold lists."""
    return frozenset(name for name, field in model.model_fields.items() if get_origin(field.annotation) is list)


def validated(model: type[Body], value: object, *, under: str = "") -> Body:
    """Return the value as a `model`; raise InvalidInput with the faults, in fields named below `under`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(faults.of(error, model, under=under)) from None


@lru_cache(maxsize=64)
def _header_keys(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Return the headers that a model declares, each with its WSGI name (PEP 3333)."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return tuple((name, f"HTTP_{name.upper().replace('-', '_')}") for name in names)


def json_value() -> object:
    """Return the JSON value of this request's body, not validated; None for a request without a body."""
    return g.get("body_json")


def check_size(limit: str) -> None:
    """Refuse the body just read if it exceeds this setting, for limits that depend on the content."""
    size_max: int = getattr(process.current().settings, limit)
    if g.body_bytes > size_max:
        raise _too_large(size_max)


def raw(*types: str, limit: str) -> bytes:
    """Return the body as bytes if it has one of the media types, is UTF-8, not compressed and not too large."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower()
    if request.mimetype not in types or charset not in ("utf-8", "utf8") or encoding != "identity":
        raise UnsupportedMediaType(f"Content-Type: send {' or '.join(types)} in UTF-8, not compressed")
    size_max: int = getattr(process.current().settings, limit)
    if (request.content_length or 0) > size_max:
        raise _too_large(size_max)
    # Werkzeug silently truncates a chunked body at this length, so allow one byte more to detect the excess.
    request.max_content_length = size_max + 1
    data = request.get_data(cache=False)
    if len(data) > size_max:
        raise _too_large(size_max)
    return data


def _too_large(size_max: int) -> InvalidInput:
    return PayloadTooLarge.of("body", f"at most {size_max} bytes are taken")


def parse(data: bytes) -> Any:
    """Return the value of a JSON text (RFC 8259). Raise BadRequest (400) with the fault and its position."""
    try:
        value = _JSON_TEXT.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"body: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"body: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        # Raised by a hook below, or by the interpreter for an integer with thousands of digits.
        raise BadRequest(str(error) if str(error).startswith("body:") else "body: a number is too long") from None
    _check_depth(value)
    if _PERHAPS_BAD_TEXT.search(data):
        _check_texts(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("body: an object has the same key twice")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"body: {name} is not JSON")


def _too_deep() -> BadRequest:
    return BadRequest(f"body: nested deeper than {DEPTH_MAX}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("body: a number is too large")
    return number


_JSON_TEXT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)


def _check_depth(value: Any) -> None:
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(DEPTH_MAX):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    if level:
        raise _too_deep()


def _check_texts(value: Any) -> None:
    """Refuse text that is valid JSON but cannot be stored: NUL and lone surrogates. Depth is checked before."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key)
            _check_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_texts(inner)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise BadRequest("body: holds a NUL character, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadRequest("body: holds half of a surrogate pair, which is no character") from None
