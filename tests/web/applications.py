"""Applications that do not make their routes again: werkzeug compiles each of them, a tenth of a second in all.

Nor do they compile the product's own templates again, 30 ms each.
"""

import copy
from functools import cache

from flask import Flask

import settings
import web
from engine.templates.brand import Brand
from engine.templates.templates import Template
from tests.processes import ROOT
from web import process


def create() -> Flask:
    """Return the application of `web.create_app`, with the routes and the compiled templates of the one before."""
    configured = settings.current()
    app = copy.copy(_routed())
    app.config, app.extensions = copy.copy(app.config), dict(app.extensions)
    web.configure(app, configured)
    if configured.templates_dir == ROOT / "email_templates" and not configured.templates_watch:
        process.of(app).library.share(_compiled(configured.hidden_link, process.of(app).brand))
    return app


@cache
def _routed() -> Flask:
    return web.routed()


@cache
def _compiled(_hidden_link: str, _brand: Brand) -> dict[str, Template]:
    """Return the product's own templates with this link and brand that a test has compiled."""
    return {}
