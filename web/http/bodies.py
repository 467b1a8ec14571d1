"""Request bodies and headers, read strictly: 415 wrong type, 413 too large, 400 bad JSON, 422 by field.

What Flask's own reader lets pass and the ledger would choke on is refused here: NaN and infinities, duplicate
keys, NUL, lone surrogates, nesting deeper than 32 (rule R27).
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from flask import g, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from errors import Fault, InvalidInput, PayloadTooLarge
from web import process

DEPTH_MAX = 32
_LIMIT = "__limit__"
_TYPES = "__types__"
_JSON = ("application/json",)
_CONTAINERS = frozenset({dict, list})
_NAME = re.compile(r"[\w-]{1,64}")
# The parser refuses a raw NUL, and a decoder of UTF-8 half a pair: only an escape brings either in.
_PERHAPS_BAD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

Body = TypeVar("Body", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Any])


def at_most(setting: str) -> Callable[[View], View]:
    """The view's body may have as many bytes as this setting says, instead of `body_limit_bytes`."""

    def mark(view: View) -> View:
        setattr(view, _LIMIT, setting)
        return view

    return mark


def takes(*types: str) -> Callable[[View], View]:
    """The view's body may be of these media types, instead of JSON's own alone; it is JSON all the same."""

    def mark(view: View) -> View:
        setattr(view, _TYPES, types)
        return view

    return mark


def types_of(view: Callable[..., Any]) -> tuple[str, ...]:
    """The media types of the view's body."""
    return getattr(view, _TYPES, _JSON)


def limit_of(view: Callable[..., Any]) -> str:
    """The setting that bounds the view's body."""
    return getattr(view, _LIMIT, "body_limit_bytes")


def read(model: type[Body], *, limit: str, types: Sequence[str] = _JSON) -> Body:
    """The JSON body of this request as a `model`; `limit` names the setting that bounds its bytes."""
    data = raw(*types, limit=limit)
    g.given_bytes = len(data)
    g.given_json = parse(data)
    try:
        return model.model_validate(g.given_json)
    except ValidationError as error:
        raise InvalidInput(faults(error)) from None


def headers(model: type[Body]) -> Body:
    """The headers of this request that `model` knows, by their aliases."""
    # Asked of werkzeug, each header that is not there costs an exception.
    given = request.environ
    brought = {name: given[key] for name, key in _header_keys(model) if key in given}
    try:
        return model.model_validate(brought)
    except ValidationError as error:
        raise InvalidInput(faults(error)) from None


@lru_cache(maxsize=64)
def _header_keys(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The headers that a model knows, each with the name that WSGI has for it (PEP 3333)."""
    names = [known.alias or name for name, known in model.model_fields.items()]
    return tuple((name, f"HTTP_{name.upper().replace('-', '_')}") for name in names)


def given() -> object:
    """The JSON value of this request's body as the caller sent it; None for a request without one."""
    return g.get("given_json")


def check_size(limit: str) -> None:
    """Refuse the body that was read if it is larger than this setting says, where that depends on what it holds."""
    size_max: int = getattr(process.current().settings, limit)
    if g.given_bytes > size_max:
        raise _too_large(size_max)


def raw(*types: str, limit: str) -> bytes:
    """The body as bytes, if it is of one of the media types, in UTF-8, not compressed, and not too large."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype not in types or charset not in ("utf-8", "utf8") or encoding != "identity":
        raise UnsupportedMediaType(f"Content-Type: send {' or '.join(types)} in UTF-8, not compressed")
    size_max: int = getattr(process.current().settings, limit)
    if (request.content_length or 0) > size_max:
        raise _too_large(size_max)
    # A body that does not tell its length is cut here, without a word: one byte more than allowed tells.
    request.max_content_length = size_max + 1
    data = request.get_data(cache=False)
    if len(data) > size_max:
        raise _too_large(size_max)
    return data


def _too_large(size_max: int) -> InvalidInput:
    return PayloadTooLarge.of("body", f"at most {size_max} bytes are taken")


def parse(data: bytes) -> Any:
    """The value of a JSON text (RFC 8259), or BadRequest (400) saying what is wrong with it, and where."""
    try:
        value = _JSON_TEXT.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"body: not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"body: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        # Ours, or the interpreter's own refusal of an integer with thousands of digits.
        raise BadRequest(str(error) if str(error).startswith("body:") else "body: a number is too long") from None
    _check_depth(value)
    if _PERHAPS_BAD_TEXT.search(data):
        _check_texts(value)
    return value


def faults(error: ValidationError, *, under: str = "") -> list[Fault]:
    """What pydantic found, field by field; never the value, which may hold an address."""
    return [
        Fault(under + field(fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def field(path: Sequence[str | int]) -> str:
    """A field's path in words: `emails[3].to`. A name nobody would choose is not repeated."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step if _NAME.fullmatch(step) else '?'}" for step in path]
    return "".join(steps).removeprefix(".") or "body"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("body: an object has the same key twice")
    return found


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
    """Refuse what is JSON but cannot be stored: NUL, half a surrogate pair. No deeper than DEPTH_MAX, by now."""
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
