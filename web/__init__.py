"""The HTTP interface: `granian --interface wsgi --factory web:create_app`."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import settings as environment
from engine import logs
from settings import Settings
from web import process
from web.api import campaigns, contacts, emails, events, tokens
from web.http import auth, errors, headers, health, openapi, rate_limits
from web.ingest import deferred_response, group_commit, send_batcher
from web.public import assets, clicks, front, pixels, unsubscribing

RESOURCES = (tokens, emails, events, campaigns, contacts)
PAGES = (health, openapi, pixels, clicks, unsubscribing, assets)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application, configured by `settings` or else by the environment.

    If the environment is unusable, print each fault on a plain line and exit with status 2. Opens no connection:
    the first request does, after any fork.
    """
    configured = settings or environment.current()
    logs.install(configured.log_file, configured.log_level)
    app = openapi.new_app(__name__)
    app.config["MAX_CONTENT_LENGTH"] = configured.body_limit_bytes
    process.install(app, configured)
    group_commit.install(app, configured)
    send_batcher.install(app)
    deferred_response.install(paths=front.PATHS)
    app.wsgi_app = front.Front(app.wsgi_app, process.of(app), group_commit.of(app))  # type: ignore[assignment,method-assign]
    if configured.trusted_proxies:
        hops = configured.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    auth.install(app, configured)
    rate_limits.install(app, configured)
    headers.install(app)
    errors.install(app)
    for resource in RESOURCES:
        app.register_api(resource.api)
    for module in PAGES:
        app.register_blueprint(module.pages)
    auth.check_routes(app)
    return app
