"""Templates: the list, and one as a reader sees it, with sample values or those of a contact and a campaign."""

from itertools import islice
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import lazy_gettext

import errors
from engine.messages import compose
from engine.previews import preview, usage, values
from engine.previews.values import Values
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from models.session import transaction
from web import pages, process
from web.pages.frame import layout

views = layout.blueprint("templates")
ENTRY = layout.Entry("templates_pages.listing", lazy_gettext("Templates"))

# Of the e-mail in its frame: nothing runs, nothing is sent, and no other server learns that somebody looks.
_BODY_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'"
)
_PAGE = 50  # templates
_TEXT_CHARS = 10_000


@views.get("/templates")
@pages.needs("campaigns", "reports")
def listing() -> Response:
    """List the templates by name, with the campaigns that use them, and the faults of broken ones."""
    after = request.args.get("after", "")
    library = process.current().library
    names = list(islice((name for name in library.names() if name > after), _PAGE + 1))
    rows = [_row(name) for name in names[:_PAGE]]
    with transaction() as session:
        uses = usage.of(session, names[:_PAGE])
    following = names[_PAGE - 1] if len(names) > _PAGE else None
    return layout.page("templates/list", rows=rows, uses=uses, following=following)


@views.get("/templates/<name>")
@pages.needs("campaigns", "reports")
def show(name: str) -> Response:
    """Show one template: its e-mail, text, links and size."""
    return layout.page("templates/show", **_shown(name))


@views.get("/templates/<name>/body")
@pages.needs("campaigns", "reports")
def body(name: str) -> Response:
    """Return the HTML of the e-mail alone, for the frames of its page; a browser runs nothing of it."""
    template = _template(name)
    with transaction() as session:
        chosen = _values(session, template)
    try:
        html = preview.html(template, chosen.variables)
    except CannotRender as failure:
        raise errors.InvalidInput.of("template", str(failure)) from None
    return Response(html, headers={"Content-Security-Policy": _BODY_POLICY}, content_type="text/html; charset=utf-8")


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
    }
    try:
        template, fault = _template(name), ""
    except UnusableTemplate as unusable:
        template, fault = None, unusable.faults[0].message
    with transaction() as session:
        content["uses"] = usage.of(session, [name]).get(name, [])
        chosen = _values(session, template) if template else None
    if chosen is None:
        return content | {"fault": fault}
    content |= {"chosen": chosen, "asked": _asked_for()}
    try:
        return content | {"preview": preview.of(process.current().library, name, chosen.variables, _sender())}
    except CannotRender as failure:
        return content | {"fault": str(failure)}


def _sender() -> compose.From:
    configured = process.current().settings
    return compose.From(configured.mail_from, configured.reply_to, configured.public_url)


def _asked_for() -> dict[str, str]:
    """Return the parameters of the address that name a contact and a campaign."""
    return {name: written for name in ("contact", "campaign") if (written := request.args.get(name))}


def _template(name: str) -> Template:
    """Return the template; raise NotFound if there is none, UnusableTemplate if it is broken."""
    library = process.current().library
    if name not in library.names():
        raise errors.NotFound(f"template: {errors.unknown(name, library.names())}")
    return library.get(name)


def _values(session: Any, template: Template) -> Values:
    """Return the values that the address asks for; a contact's need the scope `contacts`."""
    contact_id, campaign_id = _asked("contact"), _asked("campaign")
    if contact_id is not None and not layout.may("contacts"):
        raise errors.Forbidden("scope: the values of a contact need contacts")
    return values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)


def _asked(parameter: str) -> UUID | None:
    written = request.args.get(parameter)
    try:
        return UUID(written) if written else None
    except ValueError:
        raise errors.NotFound(f"{parameter}: {errors.shown(written or '')} is no id") from None
