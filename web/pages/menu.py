"""The menu of the pages, and their registration with the application."""

from flask import Flask

from settings import Settings
from web.pages import account, campaigns, email_templates, overview, sign_in
from web.pages.frame import assets, languages, layout, sessions

_PAGES = (overview, campaigns, email_templates, account)


def install(app: Flask, settings: Settings) -> None:
    """Register all pages with `app`."""
    sessions.install(app, settings)
    languages.install(app)
    app.jinja_env.globals["menu"] = entries
    for blueprint in (assets.views, sign_in.views, *(page.views for page in _PAGES)):
        app.register_blueprint(blueprint)


def entries() -> list[layout.Entry]:
    """Return the entries of the menu, in order."""
    return [page.ENTRY for page in _PAGES]
