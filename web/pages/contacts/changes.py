"""Changes of one contact by hand, each after a page that states its effect: suppress, release, pause, resume, erase."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Response
from wtforms import BooleanField, DateField, StringField, ValidationError
from wtforms.validators import DataRequired

from engine import bell, clock
from engine.audience import contacts, suppressions
from engine.engagement import by_hand
from engine.forms import people
from errors import Conflict, NotFound
from models.session import retrying
from web import pages
from web.pages.contacts import words
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("contact_changes")

_PAUSE_MAX = timedelta(days=730)


class Release(forms.Form):
    """The consent to end a suppression that is not ours."""

    nevertheless = BooleanField(lazy_gettext("I know that this reason is wrong, or the person asked for e-mails again"))


class Pause(forms.Form):
    """The day on which e-mails go out again."""

    until = DateField(lazy_gettext("First day with e-mails again"), [DataRequired(lazy_gettext("Give a date."))])


class Erase(forms.Form):
    """The word that a person types to erase a contact."""

    word = StringField(lazy_gettext("Type the word ERASE"), render_kw={"autocomplete": "off"})

    def validate_word(self, field: Any) -> None:
        """Require the word, in any case."""
        if (field.data or "").strip().casefold() != gettext("ERASE").casefold():
            raise ValidationError(gettext("Type the word ERASE, then the button works."))


@views.get("/contacts/<uuid:contact_id>/suppress")
@pages.needs("contacts")
def ask_suppress(contact_id: UUID) -> Response:
    """State the effect of a suppression, and ask for it."""
    return _ask(contact_id, "suppress")


@views.post("/contacts/<uuid:contact_id>/suppress")
@pages.changes("contacts")
def suppress(contact_id: UUID) -> Response:
    """Suppress the contact's address."""
    retrying(lambda session: by_hand.suppress(session, by_hand.by_id(session, contact_id), now=clock.now()))
    return _back(contact_id)


@views.get("/contacts/<uuid:contact_id>/release")
@pages.needs("contacts")
def ask_release(contact_id: UUID) -> Response:
    """State the reason of the suppression, and ask for the release; go back to a contact that is not suppressed."""
    reason = _reason(contact_id)
    return _ask_release(contact_id, Release(), reason) if reason else _back(contact_id)


@views.post("/contacts/<uuid:contact_id>/release")
@pages.changes("contacts")
def release(contact_id: UUID) -> Response:
    """End the suppression; one that is not by hand only with the consent."""
    form = Release()
    reason = _reason(contact_id)
    if reason not in ("manual", None) and not form.nevertheless.data:
        form.nevertheless.errors = [gettext("Confirm this to release it.")]
        return _ask_release(contact_id, form, reason, 422)
    if reason is not None:
        retrying(
            lambda session: by_hand.release(session, by_hand.by_id(session, contact_id), even=reason, now=clock.now())
        )
    return _back(contact_id)


@views.get("/contacts/<uuid:contact_id>/pause")
@pages.needs("contacts")
def ask_pause(contact_id: UUID) -> Response:
    """Ask until when e-mails wait."""
    return _ask(contact_id, "pause", Pause())


@views.post("/contacts/<uuid:contact_id>/pause")
@pages.changes("contacts")
def pause(contact_id: UUID) -> Response:
    """Pause marketing e-mails until the day."""
    form, now = Pause(), clock.now()
    if not form.validate():
        return _ask(contact_id, "pause", form, status=422)
    with sessions.reading() as session:
        zone = ZoneInfo(contacts.view(session, contact_id).timezone or "UTC")
    until = datetime.combine(form.until.data, time(), zone).astimezone(UTC)
    if not now < until <= now + _PAUSE_MAX:
        form.until.errors = [gettext("Give a day after today, within two years.")]
        return _ask(contact_id, "pause", form, status=422)
    retrying(lambda session: by_hand.pause(session, contact_id, until=until, now=now))
    return _back(contact_id)


@views.get("/contacts/<uuid:contact_id>/resume")
@pages.needs("contacts")
def ask_resume(contact_id: UUID) -> Response:
    """State the effect of the end of a pause, and ask for it."""
    return _ask(contact_id, "resume")


@views.post("/contacts/<uuid:contact_id>/resume")
@pages.changes("contacts")
def resume(contact_id: UUID) -> Response:
    """End the pause now."""
    now = clock.now()
    retrying(lambda session: by_hand.pause(session, contact_id, until=now, now=now))
    bell.ring("transactional")
    bell.ring("campaign")
    return _back(contact_id)


@views.get("/contacts/<uuid:contact_id>/erase")
@pages.needs("contacts")
def ask_erase(contact_id: UUID) -> Response:
    """State the effect of an erasure, and ask for the word."""
    return _ask(contact_id, "erase", Erase())


@views.post("/contacts/<uuid:contact_id>/erase")
@pages.changes("contacts")
def erase(contact_id: UUID) -> Response:
    """Erase the contact's personal data."""
    form = Erase()
    if not form.validate():
        return _ask(contact_id, "erase", form, status=422)
    try:
        people.suppress_and_erase(retrying, contact_id, now=clock.now())
    except Conflict:
        form.word.errors = [gettext("An e-mail to this contact is being sent. Repeat this in a minute.")]
        return _ask(contact_id, "erase", form, status=409)
    return _back(contact_id)


def _reason(contact_id: UUID) -> str | None:
    with sessions.reading() as session:
        return suppressions.suppressed(session, [contact_id]).get(contact_id)


def _ask_release(contact_id: UUID, form: Release, reason: str, status: int = 200) -> Response:
    return _ask(contact_id, "release", None if reason == "manual" else form, status=status, reason=reason)


def _ask(
    contact_id: UUID, change: str, form: forms.Form | None = None, *, status: int = 200, reason: str | None = None
) -> Response:
    with sessions.reading() as session:
        view = contacts.view(session, contact_id)
    if view.erased_at is not None:
        raise NotFound("contact: its data was erased")
    return layout.page(
        "contacts/change",
        status,
        contact=view,
        change=change,
        form=form,
        reason=reason,
        reasons=words.translated(words.SUPPRESSED),
    )


def _back(contact_id: UUID) -> Response:
    return layout.redirect_to("contact_pages.show", contact_id=contact_id)
