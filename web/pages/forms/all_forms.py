"""The list of sign-up forms."""

from flask import Response, request

from engine import figures
from engine.forms import forms
from web import pages
from web.pages.frame import layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("forms")
ENTRY = layout.Entry("forms_pages.listing", lazy_gettext("Forms"))


@views.get("/forms")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the forms by slug, with their figures."""
    after = request.args.get("after", "")
    with sessions.reading() as session:
        rows = forms.page(session, after=after)
        counted = figures.of_forms(session, [form.id for form in rows])
    following = rows[-1].definition.slug if len(rows) == forms.LIMIT else None
    shown = [(form, counted.get(form.id)) for form in rows]
    return layout.page("forms/list", forms=shown, following=following, is_first=not after)
