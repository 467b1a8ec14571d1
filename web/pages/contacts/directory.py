"""Contacts: the newest, a search by address or name, and filters."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, request
from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import Length, NumberRange, Optional

import errors
from engine import clock, figures
from engine.audience import addresses, contacts, segments
from engine.audience.directory import contact_pages
from errors import InvalidInput
from web import pages
from web.pages.contacts import words
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("contacts")
ENTRY = layout.Entry("contacts_pages.listing", lazy_gettext("Contacts"))


class Search(forms.Form):
    """A name, company or address, and conditions."""

    text = StringField(
        lazy_gettext("Name, company or whole address"),
        [Length(max=320)],
        render_kw={"type": "search", "autocomplete": "off"},
    )
    industry = StringField(lazy_gettext("Industry"), [Length(max=50)], render_kw={"list": "industries"})
    role = StringField(lazy_gettext("Role"), [Length(max=50)], render_kw={"list": "roles"})
    status = SelectField(
        lazy_gettext("State"),
        choices=lambda: forms.options([("", gettext("any")), *words.STATUSES.items()]),
        default="",
    )
    min_score = IntegerField(
        lazy_gettext("Score from"), [Optional(), NumberRange(0, 100)], render_kw={"min": 0, "max": 100}
    )

    def segment(self) -> segments.Segment:
        """Return the conditions as a segment."""
        chosen = {"industry": self.industry.data, "role": self.role.data, "followup_status": self.status.data}
        return segments.Segment(
            words={key: (word.strip().replace("\0", ""),) for key, word in chosen.items() if word and word.strip()},
            min_score=self.min_score.data,
        )

    def arguments(self) -> dict[str, Any]:
        """Return the fields that are filled in, as the arguments of a link."""
        return {field.name: field.data for field in self if field.data not in (None, "")}


@views.get("/contacts")
@pages.needs("contacts")
def listing() -> Response:
    """List contacts: the newest, or those that a search by name and the filters leave."""
    form = Search(formdata=request.args)
    if not form.validate():
        return _page(form, 422)
    if _hides_addresses(form, form.text, form.industry, form.role):
        return _page(form, 422)
    return _page(form, after=request.args.get("after"))


@views.post("/contacts/find")
@pages.changes("contacts")
def find() -> Response:
    """Go to the contact with this address, or list those whose name begins with the text."""
    form = Search()
    if not form.validate():
        return _page(form, 422)
    text = (form.text.data or "").strip()
    if _hides_addresses(form, form.industry, form.role):
        return _page(form, 422)
    if "@" not in text:
        return layout.redirect_to("contacts_pages.listing", **form.arguments())
    try:
        address = addresses.normalise(text)
    except InvalidInput:
        form.text.errors = [gettext("This is no address. Give one such as name@company.example.")]
        return _page(form, 422)
    with sessions.reading() as session:
        contact_id = contacts.find(session, address)
    if contact_id is None:
        return layout.page("contacts/unknown", 404, address=address)
    return layout.redirect_to("contact_pages.show", contact_id=contact_id)


def _hides_addresses(form: Search, *fields: StringField) -> bool:
    """Return True if one of these fields has an address; refuse and clear the field."""
    wrong = [field for field in fields if "@" in (field.data or "")]
    for field in wrong:
        field.data = ""
        form.text.errors = [gettext("An address may not stand in a link. Type it here.")]
    return bool(wrong)


def _page(form: Search, status: int = 200, after: str | None = None) -> Response:
    now = clock.now()
    page = contact_pages.Page((), None)
    with sessions.reading() as session:
        totals = figures.contacts(session, now=now)
        if status == 200:
            wanted = contact_pages.Filter(form.text.data or "", form.segment())
            page = contact_pages.page(session, wanted, after=after)
    arguments = form.arguments()
    return layout.page(
        "contacts/directory",
        status,
        form=form,
        contacts=page.contacts,
        more=page.after and arguments | {"after": page.after},
        is_filtered=bool(arguments),
        is_first=after is None,
        now=now,
        nearest=_nearest(form, totals.value["words"]) if status == 200 and not page.contacts else [],
        totals=totals.value,
        taken_at=totals.taken_at,
        statuses=words.translated(words.STATUSES),
        suppressed=words.translated(words.SUPPRESSED),
    )


def _nearest(form: Search, frequent: Mapping[str, Sequence[str]]) -> list[tuple[str, str, str]]:
    """Return, for each word that no contact seems to have: its field, the word, and a similar frequent one."""
    chosen = [(field.name, field.data, frequent[field.name]) for field in (form.industry, form.role) if field.data]
    pairs = [(name, word, errors.nearest(word, known)) for name, word, known in chosen if word not in known]
    return [(name, word, close) for name, word, close in pairs if close]
