"""Forms and submissions for tests."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from engine.forms import confirming, forms, submissions
from engine.forms.confirming import Situation, Visit
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from engine.forms.signer import Signer
from engine.forms.submissions import Entry
from engine.messages.links import PlainLinks
from engine.templates.templates import Library
from models import vault
from models.session import Session, retrying, transaction
from tests.sends import NOW

ADDRESS = "ana@empresa.example"
CONFIRMED_AT = NOW + timedelta(minutes=1)
OWN = "https://correo.example"


@lru_cache(maxsize=1)
def services() -> FormServices:
    return FormServices(Library(Path(__file__).parents[3] / "email_templates"), Signer([b"k" * 32]), OWN)


def definition(**changes: Any) -> dict[str, Any]:
    """A form with a required and a free field, a choice, and a consent."""
    return {
        "slug": "guia",
        "title": {"es": "Guía de seguimiento", "en": "Follow-up guide"},
        "fields": [
            {"name": "first_name", "label": {"es": "Nombre", "en": "First name"}, "required": True},
            {"name": "size", "label": {"es": "Tamaño", "en": "Size"}, "options": ["1-10", "11-50"]},
        ],
        "consent": {"es": "Acepto recibir correos.", "en": "I agree to get e-mails."},
        "attributes": {"source": "guia"},
        **changes,
    }


def create(session: Session, **changes: Any) -> StoredForm:
    return forms.create(session, definition(**changes), services=services(), now=NOW)


def submit(form: StoredForm, address: str = ADDRESS, *, now: datetime = NOW, **values: str) -> None:
    filled = {"first_name": "Ana", **values}
    with transaction() as session:
        stored = submissions.store(session, form, Entry(address, filled, "es"), services=services(), now=now)
        if not form.definition.double_opt_in:
            confirming.confirm(session, stored, Visit("form", ""), services=services(), now=now)


def submission_id() -> UUID:
    """The only submission."""
    with transaction() as session:
        [row_id] = session.scalars(text("SELECT id FROM form_submissions")).all()
    return UUID(str(row_id))


def confirm(at: datetime = CONFIRMED_AT, wanted: UUID | None = None) -> tuple[Situation, bool]:
    """Confirm a submission, by default the only one."""
    wanted = wanted or submission_id()
    return retrying(
        lambda session: confirming.confirm(session, wanted, Visit("press", ""), services=services(), now=at)
    )


def emails() -> list[Mapping[str, Any]]:
    """The queued e-mails, oldest first, with the address they go to."""
    query = text("""SELECT e.template, e.kind, e.status, e.subject, c.email, c.is_recipient, c.id AS contact_id
                      FROM emails e JOIN contacts c ON c.id = e.contact_id ORDER BY e.id""")
    with transaction() as session:
        rows = [dict(row._mapping) for row in session.execute(query)]
    return [{**row, "email": vault.current().decrypt(row["email"])} for row in rows]


def variables() -> list[dict[str, Any]]:
    """The variables of all e-mails, oldest first."""
    with transaction() as session:
        sealed = session.scalars(text("SELECT variables FROM emails ORDER BY id")).all()
    return [json.loads(vault.current().decrypt(each)) for each in sealed]


def render(index: int = -1) -> str:
    """The HTML of an e-mail."""
    mail = emails()[index]
    return services().library.get(mail["template"]).render(variables()[index], PlainLinks("")).html
