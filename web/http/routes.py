"""API routes: a blueprint whose views receive the body as a model and return a model.

    api = Api("emails", "/api/v1/emails", about="Send e-mails and follow their progress.")

    @api.post("/send", responses={202: Accepted})
    @needs("send")
    def send(body: Send) -> Reply:
        ...
        return Accepted(...), 202

Every route checks in the same order: the caller (401, 403), the body's type (415), size (413), syntax (400) and
fields (422); then it calls the view.
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
from web.schemas.problems import examples

Mode: TypeAlias = Literal["validation", "serialization"]
Headers: TypeAlias = Mapping[str, str]
Reply: TypeAlias = BaseModel | tuple[BaseModel, int] | tuple[BaseModel, int, Headers] | Response

BEARER = "bearer"
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_HEADER, _QUERY, _BODY = 0, 3, 5


class Api(APIBlueprint):
    """Routes of one resource under one prefix; each must declare its access with `needs` or `public`."""

    def __init__(self, name: str, prefix: str, *, about: str) -> None:
        super().__init__(name, __name__, url_prefix=prefix, abp_tags=[Tag(name=name, description=about)])
        self.models: set[tuple[type[BaseModel], Mode]] = set()

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **options: Any) -> Any:
        access = auth.access_of(func)
        if access is None:
            raise TypeError(f"{func.__qualname__}: declares no access; put @needs or @public under the route")
        self._note_models(func, options.get("responses") or {})
        summary, _, description = inspect.cleandoc(func.__doc__ or "").partition("\n")
        options |= {
            "summary": summary,
            "description": description.strip(),
            "operation_id": f"{self.name}_{func.__name__}",
        }
        options["security"] = [] if access.public else [{BEARER: list(access.scopes)}]
        options["responses"] = _problems(func, access) | (options.get("responses") or {})
        return super()._collect_openapi_info(rule, func, **options)

    def _note_models(self, func: Callable[..., Any], responses: Mapping[Any, Any]) -> None:
        body = get_type_hints(func).get("body")
        self.models |= {(body, "validation")} if body else set()
        self.models |= {(model, "serialization") for model in responses.values() if isinstance(model, type)}

    @staticmethod
    def create_view_func(func: Callable[..., Any], *inputs: Any, **options: Any) -> Callable[..., Any]:
        """Return the view as Flask calls it; flask-openapi3 reads the path, we read headers, query and body.

        flask-openapi3 builds the JSON schema of the headers' model at every request, a tenth of a send's time.
        """
        readers = list(inputs)  # header, cookie, path, query, form, body, raw
        view = _with_models(func, readers[_HEADER], readers[_QUERY], readers[_BODY])
        readers[_HEADER] = readers[_QUERY] = readers[_BODY] = None
        view_func: Callable[..., Any] = APIBlueprint.create_view_func(view, *readers, **options)
        return view_func


def refusals(details: Mapping[int, str | examples.Example]) -> dict[Any, Any]:
    """Return problem responses beyond those derived from a view's input: by status, a detail or a whole example."""
    return {
        status: _problem(examples.fixed(status, detail) if isinstance(detail, str) else detail)
        for status, detail in details.items()
    }


def answer(reply: Reply) -> Response:
    """Return a view's reply as a response."""
    if isinstance(reply, Response):
        return reply
    model, status, headers = (*reply, {})[:3] if isinstance(reply, tuple) else (reply, 200, {})
    return Response(to_json(model), status, headers, content_type="application/json")


def to_json(model: BaseModel) -> str:
    """Return the model as JSON text."""
    return model.model_dump_json()


def _with_models(
    view: Callable[..., Reply],
    header: type[BaseModel] | None,
    query: type[BaseModel] | None,
    body: type[BaseModel] | None,
) -> Callable[..., Response]:
    limit, types = bodies.limit_of(view), bodies.types_of(view)

    @wraps(view)
    def call(**arguments: Any) -> Response:
        if header is not None:
            arguments["header"] = bodies.headers(header)
        if query is not None:
            arguments["query"] = bodies.query(query)
        if body is not None:
            left_out = bodies.is_left_out(body)
            arguments["body"] = bodies.validated(body, {}) if left_out else bodies.read(body, limit=limit, types=types)
        return answer(view(**arguments))

    return call


def _problem(example: examples.Example) -> dict[str, Any]:
    return {"content": {PROBLEM_TYPE: {**_PROBLEM, "example": example}}}


def _problems(func: Callable[..., Any], access: auth.Access) -> dict[Any, Any]:
    """Return the error responses that follow from the view's declared access and input, each with an example."""
    takes = get_type_hints(func)
    fixed = dict(examples.FIXED)
    header = takes.get("header")
    has_body = bool({"body", "raw"} & takes.keys())
    if not (header and "idempotency_key" in header.model_fields and func.__name__ != "refresh"):
        del fixed[409]
    if "body" not in takes:
        del fixed[400]
    if not access.public:
        fixed[401] = examples.NO_TOKEN
    if access.scopes:
        fixed[403] = auth.missing_scope(access.scopes)
    if path := takes.get("path"):
        fixed[404] = examples.NOT_FOUND[next(iter(path.model_fields))]
    by_status = {status: examples.fixed(status, detail) for status, detail in fixed.items()}
    if has_body:
        by_status[413] = examples.too_large(bodies.limit_of(func))
        by_status[415] = examples.wrong_type(bodies.types_of(func))
    if invalid := examples.invalid(takes):
        by_status[422] = invalid
    return {status: _problem(example) for status, example in sorted(by_status.items())}
