"""Add one contact, and edit the details of one."""

from typing import Any
from uuid import UUID

from flask import Response
from wtforms import BooleanField, FieldList, FormField, StringField, TextAreaField, ValidationError
from wtforms.validators import DataRequired, Length, Regexp

from engine import clock
from engine.audience import addresses, contacts, zones
from engine.audience.files import cells
from errors import InvalidInput, NotFound
from models.session import transaction
from web import pages
from web.pages.frame import forms, layout, sessions
from web.pages.frame.languages import gettext, lazy_gettext
from web.schemas.contacts import PRINTABLE

views = layout.blueprint("contact_editing")

_EMPTY_ROWS = 3
_printable = Regexp(PRINTABLE, message=lazy_gettext("Remove the line breaks and invisible characters."))


class Attribute(forms.Form):
    """Name and value of an attribute."""

    name = StringField(lazy_gettext("Name of a new attribute"), [Length(max=50), _printable])
    value = TextAreaField(lazy_gettext("Its value"), [Length(max=cells.ATTRIBUTE_CHARS)], render_kw={"rows": 1})

    def validate_value(self, field: Any) -> None:
        """Require a name for a value."""
        if field.data and not self.name.data:
            raise ValidationError(gettext("Give the attribute a name."))


class Details(forms.Form):
    """Details of a contact; an empty field has none."""

    first_name = StringField(lazy_gettext("First name"), [Length(max=100), _printable])
    last_name = StringField(lazy_gettext("Last name"), [Length(max=100), _printable])
    company = StringField(lazy_gettext("Company"), [Length(max=100), _printable])
    role = StringField(lazy_gettext("Role"), [Length(max=50), _printable])
    industry = StringField(lazy_gettext("Industry"), [Length(max=50), _printable])
    timezone = StringField(lazy_gettext("Time zone"), [Length(max=50)])
    locale = StringField(lazy_gettext("Language"), [Length(max=20)])
    attributes = FieldList(FormField(Attribute), max_entries=150)
    listed = BooleanField(lazy_gettext("Campaigns may include this contact"), default=True)

    def validate_timezone(self, field: Any) -> None:
        """Require a zone of the IANA database, in any case."""
        if text := (field.data or "").strip():
            zone = zones.resolve(text)
            if zone is None:
                close = zones.nearest(text) or "Europe/Madrid"
                raise ValidationError(gettext("This is no time zone. Did you mean %(zone)s?", zone=close))
            field.data = zone

    def validate_locale(self, field: Any) -> None:
        """Require the tag or the name of a language."""
        if text := (field.data or "").strip():
            field.data, note = cells.mend("locale", text)
            if note:
                field.data = text
                raise ValidationError(gettext("This is no language. Give one such as es or es-MX."))

    def details(self) -> dict[str, str]:
        """Return the details by their names."""
        return {name: (self[name].data or "").strip() for name in contacts.DETAILS}

    def values(self) -> dict[str, str]:
        """Return the values of the attributes that have a name, empty ones included."""
        rows = [(row["name"].data.strip(), row["value"].data.strip()) for row in self.attributes if row["name"].data]
        return {name: value for name, value in rows if name}


class NewContact(Details):
    """The address of a new contact, and its details."""

    email = StringField(
        lazy_gettext("Address"), [DataRequired(), Length(max=320)], render_kw={"type": "email", "autocomplete": "off"}
    )


@views.get("/contacts/new")
@pages.needs("contacts")
def ask_new() -> Response:
    """Show the form for a new contact."""
    return _page(_with_rows(NewContact()))


@views.post("/contacts/new")
@pages.changes("contacts")
def create() -> Response:
    """Add a contact, whom audiences may include; one who is known from single sends only becomes such a contact."""
    form = NewContact()
    is_valid = form.validate()
    try:
        address = addresses.normalise((form.email.data or "").strip())
    except InvalidInput:
        form.email.errors = [gettext("This is no address. Give one such as name@company.example.")]
        is_valid = False
    if not is_valid:
        return _page(form, 422)
    details: dict[str, Any] = {name: value or None for name, value in form.details().items()}
    draft = contacts.Draft(address, **details, attributes={name: each for name, each in form.values().items() if each})
    with transaction() as session:
        contact_id = contacts.find(session, address)
        if contact_id is not None and contacts.view(session, contact_id).listed_at is not None:
            form.email.errors = [gettext("There is a contact with this address already.")]
            return _page(form, 422, known_id=contact_id)
        contacts.upsert(session, [draft], now=clock.now())
        contact_id = contacts.find(session, address)
        if not form.listed.data and contact_id is not None:
            contacts.set_listed(session, [contact_id], False, now=clock.now())
    return layout.redirect_to("contact_pages.show", contact_id=contact_id)


@views.get("/contacts/<uuid:contact_id>/edit")
@pages.needs("contacts")
def ask_edit(contact_id: UUID) -> Response:
    """Show the details of a contact in a form."""
    view = _editable(contact_id)
    details = {name: getattr(view, name) for name in contacts.DETAILS}
    rows = [{"name": name, "value": str(value)} for name, value in sorted(view.attributes.items())]
    form = Details(formdata=None, **details, attributes=rows, listed=view.listed_at is not None)
    return _page(_with_rows(form), contact=view)


@views.post("/contacts/<uuid:contact_id>/edit")
@pages.changes("contacts")
def edit(contact_id: UUID) -> Response:
    """Store the details of a contact."""
    form = Details()
    if not form.validate():
        return _page(form, 422, contact=_editable(contact_id))
    with transaction() as session:
        contacts.edit(session, contact_id, form.details(), form.values(), now=clock.now())
        contacts.set_listed(session, [contact_id], form.listed.data, now=clock.now())
    return layout.redirect_to("contact_pages.show", contact_id=contact_id)


def _editable(contact_id: UUID) -> contacts.View:
    """Return a contact that is not erased; raises NotFound."""
    with sessions.reading() as session:
        view = contacts.view(session, contact_id)
    if view.erased_at is not None:
        raise NotFound("contact: its data was erased")
    return view


def _with_rows(form: Details) -> Details:
    """Return the form with empty rows for new attributes."""
    for _ in range(_EMPTY_ROWS):
        form.attributes.append_entry()
    return form


def _page(form: Details, status: int = 200, *, contact: contacts.View | None = None, **shown: Any) -> Response:
    stored = contact.attributes if contact else {}
    return layout.page("contacts/edit", status, form=form, contact=contact, stored=stored, **shown)
