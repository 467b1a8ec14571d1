"""The menu of the pages, and their registration with the application."""

from flask import Flask, Response

from errors import NotFound
from web import pages
from web.pages import account, calendar, overview, pictures, sign_in
from web.pages.campaigns import actions, drafting, listing, people
from web.pages.contacts import changes, directory, editing, imports, one, one_import, suppressed
from web.pages.email_templates import creating, editor, one_template, sending_tests, template_list, versions
from web.pages.forms import all_forms, form_editing, one_form, submitted
from web.pages.frame import assets, faults, languages, layout, uploads
from web.pages.landing import landing_blocks, landing_page, landing_pages
from web.pages.operations import health, in_doubt, users

_PAGES = (
    overview,
    listing,
    calendar,
    directory,
    template_list,
    all_forms,
    landing_pages,
    health,
    users,
    account,
)
_BEHIND = (
    sign_in,
    actions,
    drafting,
    people,
    one,
    editing,
    changes,
    suppressed,
    imports,
    one_import,
    in_doubt,
    pictures,
    one_form,
    form_editing,
    submitted,
    landing_page,
    landing_blocks,
    one_template,
    sending_tests,
    creating,
    editor,
    versions,
)  # reached from those of the menu

views = layout.blueprint("missing")


@views.get("/<path:path>")
@pages.needs()
def missing(path: str) -> Response:
    """Answer an address without a page by an error page."""
    raise NotFound(f"page: there is none at {path[:100]}")


def install(app: Flask) -> None:
    """Register all pages with `app`."""
    uploads.install(app)
    languages.install(app)
    app.jinja_env.globals["menu"] = entries
    app.jinja_env.filters["reason"] = faults.reason
    for blueprint in (assets.views, *(page.views for page in (*_PAGES, *_BEHIND)), views):
        app.register_blueprint(blueprint)


def entries() -> list[layout.Entry]:
    """Return the entries of the menu, in order."""
    return [page.ENTRY for page in _PAGES]
