"""The HTTP interface: `granian --interface wsgi --factory web:create_app`."""

import logging

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import settings as environment
from engine import logs
from settings import Settings
from web import process
from web.api import assets, campaigns, contacts, emails, events, forms, landing_pages, templates, tokens
from web.http import auth, errors, headers, health, openapi, rate_limits
from web.ingest import deferred_response, group_commit, send_batcher
from web.pages import menu
from web.pages.frame import sessions
from web.public import clicks, front, home, pictures, pixels, static_files, unsubscribing
from web.public.forms import confirming, form_cache, showing, sign_ups
from web.public.landing_pages import page_cache, submitting, visiting
from web.wsgi import public_bodies, unread
from web.wsgi.remote_address import RemoteAddress

log = logging.getLogger(__name__)

RESOURCES = (tokens, emails, events, campaigns, contacts, templates, forms, assets, landing_pages)
PAGES = (
    health, openapi, pixels, clicks, unsubscribing, confirming, showing, visiting, submitting, static_files, pictures,
    home,
)  # fmt: skip


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application, configured by `settings` or else by the environment.

    If the environment is unusable, print each fault on a plain line and exit with status 2. Opens no connection:
    the first request does, after any fork.
    """
    configured = settings or environment.current()
    app = routed()
    configure(app, configured)
    process.tune_garbage_collector()
    return app


def routed() -> Flask:
    """Return the application with all routes, before it is configured."""
    app = openapi.new_app(__name__)
    # A path with `//` inside is a 404: werkzeug would redirect it to the Host that the caller names.
    app.url_map.merge_slashes = False
    auth.install(app)
    headers.install(app)
    errors.install(app)
    home.install(app)
    for resource in RESOURCES:
        app.register_api(resource.api)
    for module in PAGES:
        app.register_blueprint(module.pages)
    menu.install(app)
    auth.check_routes(app)
    return app


def configure(app: Flask, configured: Settings) -> None:
    """Attach the state of this process to `app`, made from these settings."""
    logs.set_up(configured)
    app.config["MAX_CONTENT_LENGTH"] = configured.body_limit_bytes
    process.install(app, configured)
    group_commit.install(app, configured)
    send_batcher.install(app)
    page_cache.install(app, process.of(app))
    form_cache.install(app)
    for warning in configured.warnings:
        log.warning("settings_warning %s", warning)
    auth.configure(app, configured)
    sessions.configure(app, configured)
    rate_limits.install(app, configured)
    sign_ups.install(app)
    _wrap(app, configured)


def _wrap(app: Flask, configured: Settings) -> None:
    """Put the WSGI middleware in front of `app`: addresses, then what `front` answers, then bodies of public routes."""
    deferred_response.install(paths=(*front.PATHS, *public_bodies.paths(app)), also=unread.is_large)
    bodies = public_bodies.PublicBodies(app.wsgi_app, app, configured)
    wsgi = front.Front(bodies, process.of(app), group_commit.of(app), page_cache.of(app))
    if hops := configured.trusted_proxies:
        trusting = ProxyFix(RemoteAddress(wsgi), x_for=hops, x_proto=hops, x_host=hops)
        app.wsgi_app = trusting  # type: ignore[method-assign]
    else:
        app.wsgi_app = wsgi  # type: ignore[assignment,method-assign]
