"""Templates: the list; one as a reader sees it, with the values of a contact or a campaign; test sends."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from time import sleep
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import gettext, lazy_gettext
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length

import errors
from engine import bell, clock
from engine.audience import addresses, contacts
from engine.audience.directory import contact_pages
from engine.messages import compose
from engine.previews import preview, sends, usage, values
from engine.previews.values import Values
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from models import ids
from models.session import Session, transaction
from web import pages, process
from web.http import auth, idempotency, rate_limits
from web.http.idempotency import Done
from web.pages.frame import faults, forms, layout
from web.schemas.templates.listing import TestAccepted

views = layout.blueprint("templates")
ENTRY = layout.Entry("templates_pages.listing", lazy_gettext("Templates"))

# Of the e-mail in its frame: nothing runs, nothing is sent, and no other server learns that somebody looks.
_BODY_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'"
)
_PAGE = 50  # templates
_PEOPLE = 10  # contacts that a search offers
_FIND_CHARS = 100
_TEXT_CHARS = 10_000
_READERS = ("campaigns", "reports", "send")
_TESTERS = ("campaigns", "send")
_TRIES, _TRY_S = 20, 0.05  # while the first of two equal forms is stored


class TestForm(forms.Form):
    """The addresses that get a test; `key` makes a form that is sent twice send once."""

    to = StringField(
        lazy_gettext("Addresses"),
        [DataRequired(lazy_gettext("Give at least one address.")), Length(max=2_000)],
        render_kw={"autocomplete": "off", "inputmode": "email"},
    )
    key = HiddenField(validators=[DataRequired(), Length(max=100)])

    def addresses(self) -> list[str]:
        """Return the addresses, which commas, semicolons or spaces separate."""
        return [part for part in re.split(r"[\s,;]+", self.to.data) if part]


@views.get("/templates")
@pages.needs(*_READERS)
def listing() -> Response:
    """List the templates by name, with the campaigns that use them, and the faults of broken ones."""
    after = request.args.get("after", "")
    library = process.current().library
    names = list(islice((name for name in library.names() if name > after), _PAGE + 1))
    rows = [_row(name) for name in names[:_PAGE]]
    with transaction() as session:
        uses = usage.of(session, names[:_PAGE])
    following = names[_PAGE - 1] if len(names) > _PAGE else None
    return layout.page("templates/list", rows=rows, uses=uses, following=following, asked=_asked())


@views.get("/templates/<name>")
@pages.needs(*_READERS)
def show(name: str) -> Response:
    """Show one template: its e-mail, text, links and size, and the tests that were just sent."""
    return layout.page("templates/show", form=TestForm(formdata=None, key=uuid.uuid4().hex), **_shown(name))


@views.get("/templates/<name>/body")
@pages.needs(*_READERS)
def body(name: str) -> Response:
    """Return the HTML of the e-mail alone, for the frames of its page; a browser runs nothing of it."""
    template = process.current().library.existing(name)
    with transaction() as session:
        chosen = _values(session, template)
    try:
        html = preview.html(template, chosen.variables)
    except CannotRender as failure:
        raise errors.InvalidInput.of("template", str(failure)) from None
    return Response(html, headers={"Content-Security-Policy": _BODY_POLICY}, content_type="text/html; charset=utf-8")


@views.post("/templates/<name>/test")
@pages.changes(*_TESTERS)
def test(name: str) -> Response:
    """Send tests to the addresses of the form, with the values that are shown."""
    form, template = TestForm(), process.current().library.existing(name)
    if form.validate():
        with transaction() as session:
            variables = _values(session, template).variables
        try:
            email_ids = _queue(form, template, variables)
        except errors.CadenciaError as refusal:
            form.to.errors = _reasons(refusal)
        else:
            return layout.redirect_to("templates_pages.show", name=name, test=email_ids, **_asked(), _anchor="tests")
    return layout.page("templates/show", 422, form=form, **_shown(name))


@views.post("/templates/<name>/contact")
@pages.changes("contacts")
def find(name: str) -> Response:
    """Show the values of the contact with the address that was typed, or the contacts whose names begin so."""
    written = request.form.get("find", "").strip()
    chosen = {key: value for key, value in _asked().items() if key != "contact"}
    if "@" not in written:
        return layout.redirect_to("templates_pages.show", name=name, **chosen, find=written[:_FIND_CHARS])
    try:
        with transaction() as session:
            contact_id = contacts.find(session, addresses.normalise(written))
    except errors.InvalidInput:
        contact_id = None
    if contact_id is None:
        form = TestForm(formdata=None, key=uuid.uuid4().hex)
        return layout.page("templates/show", 404, form=form, unknown=True, **_shown(name))
    return layout.redirect_to("templates_pages.show", name=name, **chosen, contact=contact_id)


@views.get("/templates/<name>/tests")
@pages.needs(*_READERS)
def tests(name: str) -> Response:
    """Return the states of tests, which are fetched again while the page is open."""
    with transaction() as session:
        return layout.fragment("templates/tests", tests=_tests(session, name))


def _row(name: str) -> dict[str, Any]:
    try:
        template = process.current().library.get(name)
    except UnusableTemplate as unusable:
        return {"name": name, "fault": unusable.faults[0].message}
    try:
        subject = template.subject(template.sample)
    except CannotRender:
        subject = template.subject_source
    return {"name": name, "subject": subject, "language": template.language, "required": sorted(template.required)}


def _shown(name: str) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": name,
        "brand": process.current().brand,
        "text_chars": _TEXT_CHARS,
        "clipped_at": preview.CLIPPED_AT,
        "testers": _TESTERS,
        "asked": _asked(),
    }
    try:
        template, fault = process.current().library.existing(name), ""
    except UnusableTemplate as unusable:
        template, fault = None, unusable.faults[0].message
    with transaction() as session:
        content |= {"uses": usage.of(session, [name]).get(name, []), "tests": _tests(session, name)}
        content |= {"searched": _searched(), "people": _people(session)}
        chosen = _values(session, template) if template else None
    if template is None or chosen is None:
        return content | {"fault": fault}
    try:
        shown = preview.of(template, chosen.variables, _sender())
    except CannotRender as failure:
        return content | {"chosen": chosen, "fault": str(failure)}
    return content | {"chosen": chosen, "preview": shown}


def _sender() -> compose.From:
    configured = process.current().settings
    return compose.From(configured.mail_from, configured.reply_to, configured.public_url)


def _asked() -> dict[str, str]:
    """Return the parameters of the address that name a contact and a campaign."""
    return {name: written for name in ("contact", "campaign") if (written := request.args.get(name))}


def _values(session: Session, template: Template) -> Values:
    """Return the values that the address asks for; a contact's need the scope `contacts`."""
    contact_id, campaign_id = _id("contact"), _id("campaign")
    if contact_id is not None and not layout.may("contacts"):
        raise errors.Forbidden(auth.missing_scope(("contacts",)))
    return values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)


def _id(parameter: str) -> UUID | None:
    written = request.args.get(parameter)
    try:
        return UUID(written) if written else None
    except ValueError:
        raise errors.NotFound(f"{parameter}: {errors.shown(written or '')} is no id") from None


def _searched() -> str:
    """Return the beginning of a name that the address asks for; empty for who may not see contacts."""
    return request.args.get("find", "")[:_FIND_CHARS] if layout.may("contacts") else ""


def _people(session: Session) -> Sequence[contact_pages.ListedContact]:
    return (
        contact_pages.page(session, contact_pages.Filter(text), limit=_PEOPLE).contacts if (text := _searched()) else ()
    )


def _tests(session: Session, name: str) -> list[sends.Status]:
    """Return the states of the tests that the address names; recipients only for those who may see contacts."""
    named = map(ids.parse, request.args.getlist("test")[: sends.ADDRESSES_MAX])
    return sends.statuses(session, name, [email_id for email_id in named if email_id])


def _queue(form: TestForm, template: Template, variables: Mapping[str, Any]) -> Sequence[str]:
    """Queue the tests once, however often the form is sent, and return their ids."""
    to = form.addresses()
    key = idempotency.of_form(form.key.data, to)

    def queue(session: Session) -> TestAccepted:
        email_ids = sends.send(session, template, to, variables, now=clock.now())
        rate_limits.test(auth.caller().account_id, len(email_ids))
        return TestAccepted.of(email_ids)

    done = _patiently(lambda: idempotency.do(key, queue, status=202))
    bell.ring(sends.LANE)
    email_ids: Sequence[str] = done.response.get_json()["email_ids"]
    return email_ids


def _patiently(work: Callable[[], Done[TestAccepted]]) -> Done[TestAccepted]:
    """Return the result of `work`, and wait while the first of two equal forms is stored."""
    for _ in range(_TRIES):
        try:
            return work()
        except errors.InProgress:
            sleep(_TRY_S)
    return work()


def _reasons(refusal: errors.CadenciaError) -> list[str]:
    """Return why no test was sent, in the reader's language; raise what is no fault of the form."""
    if isinstance(refusal, errors.TooOften):
        return [gettext("This account may send no more tests today.")]
    if isinstance(refusal, sends.RefusedAddresses):
        return [_reason(code, index + 1) for index, code in refusal.codes.items()]
    if isinstance(refusal, errors.InvalidInput):
        return [faults.sentence(fault.message) for fault in refusal.faults]
    raise refusal


def _reason(code: str, number: int) -> str:
    words = {
        "invalid": gettext("Address %(number)s is not valid.", number=number),
        "bounced": gettext("Address %(number)s does not exist, as a mail server said.", number=number),
        "complained": gettext("The owner of address %(number)s complained about an e-mail.", number=number),
        "erased": gettext("The data of address %(number)s was erased.", number=number),
    }
    return str(words[code])
