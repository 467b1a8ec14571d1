"""Suppressions: the list, adding an address by hand, releasing one."""

from typing import Any

from flask import Response, request
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import DataRequired, Length

from engine import clock, figures
from engine.audience import addresses, suppressions
from engine.audience.directory import suppression_pages
from engine.engagement import by_hand
from errors import InvalidInput, NotFound
from models.session import retrying, transaction
from web import pages
from web.pages.contacts import words
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext

views = layout.blueprint("suppressions")


class Address(forms.Form):
    """The address to suppress."""

    email = StringField(
        lazy_gettext("Address"), [DataRequired(), Length(max=320)], render_kw={"type": "email", "autocomplete": "off"}
    )


class Release(forms.Form):
    """A suppressed address by its blind index, which stands in no link, and the consent to its release."""

    index = HiddenField(validators=[DataRequired()])
    nevertheless = BooleanField(lazy_gettext("I know that this reason is wrong, or the person asked for e-mails again"))
    is_asked = HiddenField()


@views.get("/contacts/suppressions")
@pages.needs("contacts")
def listing() -> Response:
    """List suppressions, newest first, of one reason or of all."""
    return _page(Address(formdata=None))


@views.post("/contacts/suppressions")
@pages.changes("contacts")
def add() -> Response:
    """Suppress an address, which need not be a contact's."""
    form = Address()
    if not form.validate():
        return _page(form, 422)
    try:
        address = addresses.normalise(form.email.data.strip())
    except InvalidInput:
        form.email.errors = [gettext("This is no address. Give one such as name@company.example.")]
        return _page(form, 422)
    retrying(lambda session: by_hand.suppress(session, by_hand.by_address(session, address), now=clock.now()))
    return layout.redirect_to("suppressions_pages.listing")


@views.post("/contacts/suppressions/release")
@pages.changes("contacts")
def release() -> Response:
    """Ask for the release of an address that is no contact's; end its suppression when it is confirmed."""
    form = Release()
    try:
        index = bytes.fromhex(form.index.data or "")
    except ValueError:
        raise NotFound("suppression: this address has none") from None
    with transaction() as session:
        suppression = suppressions.of_index(session, index)
    if suppression is None:
        return layout.redirect_to("suppressions_pages.listing")
    is_ours = suppression.reason == "manual"
    if form.is_asked.data and (is_ours or form.nevertheless.data):
        retrying(
            lambda session: by_hand.release(
                session, by_hand.by_index(session, index), even=suppression.reason, now=clock.now()
            )
        )
        return layout.redirect_to("suppressions_pages.listing")
    if form.is_asked.data:
        form.nevertheless.errors = [gettext("Confirm this to release it.")]
    status = 422 if form.is_asked.data else 200
    return layout.page(
        "contacts/release",
        status,
        form=form,
        held=suppression,
        is_ours=is_ours,
        reasons=words.translated(words.SUPPRESSED),
    )


def _page(form: Address, status: int = 200) -> Response:
    reason, after = request.args.get("reason"), request.args.get("after")
    chosen: Any = reason if reason in suppression_pages.SHOWN else None
    with sessions.reading() as session:
        totals = figures.contacts(session, now=clock.now())
        page = suppression_pages.page(session, chosen, after=after)
    return layout.page(
        "contacts/suppressions",
        status,
        form=form,
        page=page,
        reason=chosen,
        reasons={name: str(words.SUPPRESSED[name]) for name in suppression_pages.SHOWN},
        counted=totals.value["suppressed"],
        taken_at=totals.taken_at,
    )
