"""API routes: a blueprint whose views are told their body as a model and answer with one.

    api = Api("emails", "/api/v1/emails", about="Send e-mails and follow what becomes of them.")

    @api.post("/send", responses={202: Accepted})
    @needs("send")
    def send(body: Send) -> Reply:
        ...
        return Accepted(...), 202

The order is fixed for every route: who is calling (401, 403), the body's type (415), size (413), syntax (400),
fields (422), then the view.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, TypeAlias, get_type_hints

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from web.http import auth, bodies
from web.http.errors import TYPE as PROBLEM_TYPE

Mode: TypeAlias = Literal["validation", "serialization"]
Headers: TypeAlias = Mapping[str, str]
Reply: TypeAlias = BaseModel | tuple[BaseModel, int] | tuple[BaseModel, int, Headers] | Response

BEARER = "bearer"
_PROBLEM = {"content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_HEADER, _BODY = 0, 5
_ALWAYS, _WITH_TOKEN, _WITH_BODY = (422, 429, 503), (401, 403), (400, 413, 415)
_WITH_PATH, _WITH_KEY = (404,), (409,)  # no such thing; the first call with this key is not done


class Api(APIBlueprint):
    """The routes of one resource, under one prefix; each must state its access with `needs` or `public`."""

    def __init__(self, name: str, prefix: str, *, about: str) -> None:
        super().__init__(name, __name__, url_prefix=prefix, abp_tags=[Tag(name=name, description=about)])
        self.models: set[tuple[type[BaseModel], Mode]] = set()

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **known: Any) -> Any:
        access = auth.access_of(func)
        if access is None:
            raise TypeError(f"{func.__qualname__}: no access stated; put @needs or @public under the route")
        self._note_models(func, known.get("responses") or {})
        summary, _, description = inspect.cleandoc(func.__doc__ or "").partition("\n")
        known |= {
            "summary": summary,
            "description": description.strip(),
            "operation_id": f"{self.name}_{func.__name__}",
        }
        known["security"] = [] if access.public else [{BEARER: list(access.scopes)}]
        known["responses"] = _problems(func, access) | (known.get("responses") or {})
        return super()._collect_openapi_info(rule, func, **known)

    def _note_models(self, func: Callable[..., Any], responses: Mapping[Any, Any]) -> None:
        body = get_type_hints(func).get("body")
        self.models |= {(body, "validation")} if body else set()
        self.models |= {(model, "serialization") for model in responses.values() if isinstance(model, type)}

    @staticmethod
    def create_view_func(func: Callable[..., Any], *inputs: Any, **options: Any) -> Callable[..., Any]:
        """The view as Flask calls it; path and query are read by flask-openapi3, headers and body here.

        flask-openapi3 writes the whole JSON schema of the headers' model at every request: a tenth of a send.
        """
        given = list(inputs)  # header, cookie, path, query, form, body, raw
        view = _speaking(func, given[_HEADER], given[_BODY])
        given[_HEADER] = given[_BODY] = None
        made: Callable[..., Any] = APIBlueprint.create_view_func(view, *given, **options)
        return made


def refusals(*statuses: int) -> dict[Any, Any]:
    """Problems with these statuses, for the `responses` of a view that has others than follow from what it takes."""
    return {status: dict(_PROBLEM) for status in sorted(statuses)}


def answer(reply: Reply) -> Response:
    """A view's reply as a response."""
    if isinstance(reply, Response):
        return reply
    model, status, headers = (*reply, {})[:3] if isinstance(reply, tuple) else (reply, 200, {})
    return Response(written(model), status, headers, content_type="application/json")


def written(model: BaseModel) -> str:
    """The model as the JSON text that goes out."""
    return model.model_dump_json()


def _speaking(
    view: Callable[..., Reply], header: type[BaseModel] | None, body: type[BaseModel] | None
) -> Callable[..., Response]:
    limit, types = bodies.limit_of(view), bodies.types_of(view)

    @wraps(view)
    def speaking(**arguments: Any) -> Response:
        if header is not None:
            arguments["header"] = bodies.headers(header)
        if body is not None:
            arguments["body"] = bodies.read(body, limit=limit, types=types)
        return answer(view(**arguments))

    return speaking


def _problems(func: Callable[..., Any], access: auth.Access) -> dict[Any, Any]:
    """The refusals that follow from what the view takes."""
    takes = get_type_hints(func)
    header = takes.get("header")
    return refusals(
        *_ALWAYS,
        *(() if access.public else _WITH_TOKEN),
        *(_WITH_BODY if {"body", "raw"} & takes.keys() else ()),
        *(_WITH_PATH if "path" in takes else ()),
        *(_WITH_KEY if header and "idempotency_key" in header.model_fields else ()),
    )
