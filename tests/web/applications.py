"""Applications that do not make their routes again: werkzeug compiles each of them, a tenth of a second in all."""

import copy
from functools import cache

from flask import Flask

import settings
import web


def create() -> Flask:
    """Return what `web.create_app` returns, with the routes and the compiled templates of the one before."""
    app = copy.copy(_routed())
    app.config, app.extensions = copy.copy(app.config), dict(app.extensions)
    web.configure(app, settings.current())
    return app


@cache
def _routed() -> Flask:
    return web.routed()
