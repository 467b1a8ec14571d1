"""Content of the page of one template: its values, its e-mail, its tests."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import request

import errors
from engine.audience.directory import contact_pages
from engine.previews import preview, sends, usage, values
from engine.previews.values import Values
from engine.templates.compiling import UnusableTemplate
from engine.templates.templates import CannotRender, Template
from engine.templates.versions import history
from engine.templates.versions.history import Version
from models import ids
from models.session import Session
from web import process
from web.http import auth
from web.pages.email_templates import fields, framing
from web.pages.frame import sessions

READERS = ("campaigns", "reports", "send")
TESTERS = ("campaigns", "send")
FIND_CHARS = 100
_PARAMETERS = ("version", "contact", "campaign", "values")
_PEOPLE = 10  # contacts that a search offers
_TEXT_CHARS = 10_000


def of(name: str) -> dict[str, Any]:
    """Return the values that the page shows of a template, with the parameters of its address."""
    with sessions.reading() as session:
        stored = newest(session, name)
    version = version_of(stored)
    content: dict[str, Any] = {
        "name": name,
        "stored": stored,
        "version": version,
        "brand": process.current().brand,
        "text_chars": _TEXT_CHARS,
        "clipped_at": preview.CLIPPED_AT,
        "testers": TESTERS,
        "asked": asked(),
        "extremes": fields.EXTREMES,
    }
    try:
        template, fault = process.current().library.existing(name, version), ""
    except UnusableTemplate as unusable:
        template, fault = None, unusable.faults[0].message
    with sessions.reading() as session:
        content |= {"uses": usage.of(session, [name]).get(name, []), "tests": tests(session, name)}
        content |= {"searched": _searched(), "people": _people(session)}
        chosen = chosen_values(session, template) if template else None
    if template is None or chosen is None:
        return content | {"fault": fault}
    try:
        shown = preview.of(template, chosen.variables, framing.sender())
    except CannotRender as failure:
        return content | {"chosen": chosen, "fault": str(failure)}
    return content | {"chosen": chosen, "preview": shown}


def asked() -> dict[str, str]:
    """Return the parameters of the address that choose the values that are shown."""
    return {name: written for name in _PARAMETERS if (written := request.args.get(name))}


def template(name: str) -> Template:
    """Return the template in the version that the address asks for; raise NotFound, or UnusableTemplate."""
    with sessions.reading() as session:
        version = version_of(newest(session, name))
    return process.current().library.existing(name, version)


def newest(session: Session, name: str) -> Version | None:
    """Return the newest version of a template in the database; None for one of the folder."""
    try:
        return history.version(session, name)[0]
    except errors.NotFound:
        return None


def version_of(stored: Version | None) -> int | None:
    """Return the version that the address asks for, or else the published or the newest; None for a folder."""
    if stored is None:
        return None
    asked_for = request.args.get("version", default=None, type=int)
    return asked_for or stored.published or stored.newest


def chosen_values(session: Session, template: Template) -> Values:
    """Return the values that the address asks for; a contact's need the scope `contacts`."""
    contact_id, campaign_id = _id("contact"), _id("campaign")
    if contact_id is not None and not auth.caller().may("contacts"):
        raise errors.Forbidden(auth.missing_scope(("contacts",)))
    return values.of(
        session,
        template,
        contact_id=contact_id,
        campaign_id=campaign_id,
        extreme=fields.extreme(request.args.get("values")),
    )


def tests(session: Session, name: str) -> list[sends.Status]:
    """Return the states of the tests that the address names; recipients only for those who may see contacts."""
    named = map(ids.parse, request.args.getlist("test")[: sends.ADDRESSES_MAX])
    return sends.statuses(session, name, [email_id for email_id in named if email_id])


def _id(parameter: str) -> UUID | None:
    written = request.args.get(parameter)
    try:
        return UUID(written) if written else None
    except ValueError:
        raise errors.NotFound(f"{parameter}: {errors.shown(written or '')} is no id") from None


def _searched() -> str:
    """Return the beginning of a name that the address asks for; empty for readers who may not see contacts."""
    return request.args.get("find", "")[:FIND_CHARS] if auth.caller().may("contacts") else ""


def _people(session: Session) -> Sequence[contact_pages.ListedContact]:
    return (
        contact_pages.page(session, contact_pages.Filter(text), limit=_PEOPLE).contacts if (text := _searched()) else ()
    )
