"""The overview: what goes out, what needs attention, what was achieved."""

from flask import Response
from flask_babel import lazy_gettext

from web import pages
from web.pages.frame import layout

views = layout.blueprint("overview")
ENTRY = layout.Entry("overview_pages.show", lazy_gettext("Overview"), ("reports", "campaigns"))


@views.get("/")
@pages.needs()
def show() -> Response:
    """Show the overview."""
    return layout.page("overview")
