"""API description: OpenAPI 3.1 at /openapi.json and Swagger UI at /docs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import flask_openapi3_swagger
from flask import Blueprint, Response, current_app, render_template, send_from_directory
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

import settings
from errors import InvalidInput
from web.http.auth import public
from web.http.routes import BEARER, Api, Mode
from web.schemas.problems import faults
from web.schemas.problems.problems import Problem

ABOUT = """\
Cadencia sends follow-up e-mails and keeps a ledger that accounts for every one.

Get a token at `POST /api/v1/auth/token` and send it as `Authorization: Bearer …`. Errors are
`application/problem+json` (RFC 9457) and name the fields at fault. A creating call with an `Idempotency-Key`
may be repeated safely for 48 hours.
"""
# Swagger UI sets style attributes; its scripts are served by this process only.
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)
_ASSETS = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

pages = Blueprint("docs", __name__, template_folder="templates")


class _Application(OpenAPI):
    """An application none of whose functions is asynchronous; Flask looks at each at every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


def new_app(name: str) -> OpenAPI:
    """Return a Flask app that collects its OpenAPI description; pages and error responses are our own."""
    return _Application(
        name,
        info=Info(title="Cadencia", version=settings.VERSION, description=ABOUT),
        security_schemes={BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        doc_ui=False,
        static_folder=None,
    )


def document(app: OpenAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `app`.

    The schemas come from pydantic (JSON Schema 2020-12, as in OpenAPI 3.1), because flask-openapi3 drops examples.
    """
    written: dict[str, Any] = app.api_doc
    for operation in (each for operations in written["paths"].values() for each in operations.values()):
        if not (operation.get("parameters") or operation.get("requestBody")):
            operation["responses"].pop("422", None)  # flask-openapi3 adds it; a route without input refuses none
    models: set[tuple[type[BaseModel], Mode]] = {(Problem, "serialization")}
    for api in app.blueprints.values():
        models |= api.models if isinstance(api, Api) else set()
    ordered = sorted(models, key=lambda pair: pair[0].__name__)
    _, schemas = models_json_schema(ordered, ref_template="#/components/schemas/{model}")
    written["components"]["schemas"] = schemas["$defs"]
    return written


def _refuse(error: ValidationError) -> None:
    """Raise flask-openapi3's findings in the path as InvalidInput, like those of `bodies`."""
    raise InvalidInput(faults.of(error, BaseModel))


@pages.get("/openapi.json")
@public("a description of the API holds no data")
def description() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return document(cast(OpenAPI, current_app))


@pages.get("/docs")
@public("a description of the API holds no data")
def page() -> Response:
    """Show Swagger UI."""
    return Response(render_template("docs.html"), headers={"Content-Security-Policy": _PAGE})


@pages.get("/docs/assets/<path:name>")
@public("scripts and styles of the page")
def asset(name: str) -> Response:
    """Return a file of Swagger UI from its wheel."""
    return send_from_directory(_ASSETS, name, max_age=86_400)


@pages.get("/docs/start.js")
@public("scripts and styles of the page")
def start() -> Response:
    """Return the script that starts Swagger UI; a file, because the page's policy forbids inline scripts."""
    return Response(render_template("docs.js"), content_type="text/javascript; charset=utf-8")
