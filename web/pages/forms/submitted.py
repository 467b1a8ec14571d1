"""The people who submitted a form, by state: those who did not confirm yet, and those who are contacts now."""

from uuid import UUID

from flask import Response, request

from engine.forms import definitions, forms, people
from web import pages
from web.pages.frame import languages, layout, sessions
from web.pages.frame.languages import lazy_gettext

views = layout.blueprint("form_people")
_STATES = {"pending": lazy_gettext("to confirm"), "confirmed": lazy_gettext("confirmed"),
           "expired": lazy_gettext("expired")}  # fmt: skip


@views.get("/forms/<slug>/people")
@pages.needs("contacts")
def listing(slug: str) -> Response:
    """List the submissions of a form in one state, the newest first."""
    state = request.args.get("state", "pending")
    chosen = state if state in _STATES else "pending"
    before = request.args.get("before", default=None, type=UUID)
    with sessions.reading() as session:
        form = forms.by_slug(session, slug)
        rows = people.page(session, form.id, chosen, before=before)
    own = languages.current()
    labels = {field.name: definitions.in_language(field.label, own) for field in form.definition.fields}
    return layout.page(
        "forms/people",
        form=form,
        title=definitions.in_language(form.definition.title, own),
        rows=rows,
        states=_STATES,
        state=chosen,
        labels=labels,
        following=rows[-1].id if len(rows) == people.LIMIT else None,
        is_first=before is None,
    )
