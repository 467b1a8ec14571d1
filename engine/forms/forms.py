"""Forms: create, change, disable, list and find them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

import errors
from engine import edits
from engine.forms import definitions
from engine.forms.definitions import Definition, Texts
from engine.forms.services import FormServices
from engine.templates.compiling import UnusableTemplate
from errors import Conflict, InvalidInput, NotFound
from models import Campaign, Form, ids, vault
from models.form import ACTIVE, DISABLED

LIMIT = 50


@dataclass(frozen=True, slots=True)
class StoredForm:
    """A form and its state; `consent_text_id` is that of its present consent text, None if it has none."""

    id: UUID
    definition: Definition
    state: str
    created_at: datetime
    updated_at: datetime
    consent_text_id: UUID | None

    @property
    def is_active(self) -> bool:
        """True if it takes submissions."""
        return self.state == ACTIVE


_COLUMNS = """
f.id, f.slug, f.state, f.definition, f.notify, f.created_at, f.updated_at,
(SELECT t.id FROM consent_texts t WHERE t.form_id = f.id AND t.texts = f.definition -> 'consent') AS consent_text_id
"""
_BY_SLUG = text(f"SELECT {_COLUMNS} FROM forms f WHERE slug = :slug")  # noqa: S608  # constants only
_BY_ID = text(f"SELECT {_COLUMNS} FROM forms f WHERE id = :id")  # noqa: S608  # constants only
_PAGE = text(f"""
SELECT {_COLUMNS} FROM forms f WHERE slug > :after ORDER BY slug LIMIT :limit
""")  # noqa: S608  # constants only
_CREATE = text("""
INSERT INTO forms (id, slug, definition, notify, created_at, updated_at)
VALUES (:id, :slug, CAST(:definition AS jsonb), :notify, :now, :now) ON CONFLICT (slug) DO NOTHING
""")
_CHANGE = text("""
UPDATE forms SET definition = CAST(:definition AS jsonb), notify = :notify, updated_at = :now WHERE slug = :slug
RETURNING id
""")
_SET_STATE = text("UPDATE forms SET state = :state, updated_at = :now WHERE slug = :slug AND state <> :state")
# Two changes of one form wait for each other at its row, so their versions differ.
_ADD_CONSENT = text("""
INSERT INTO consent_texts (id, form_id, version, digest, texts, created_at)
SELECT :id, :form_id, coalesce(max(version), 0) + 1, :digest, CAST(:texts AS jsonb), :now
  FROM consent_texts WHERE form_id = :form_id
ON CONFLICT (form_id, digest) DO NOTHING
""")


def create(session: Session, values: Mapping[str, Any], *, services: FormServices, now: datetime) -> StoredForm:
    """Store a form that these values describe (see `Definition`). Raises InvalidInput, Conflict."""
    definition = _read(session, values, services)
    form_id = ids.new()
    row = {"id": form_id, **_row(definition), "now": now}
    if not session.execute(_CREATE, row).rowcount:  # type: ignore[attr-defined]
        raise Conflict(f"slug: there is a form {definition.slug!r} already; choose another")
    _add_consent(session, form_id, definition.consent, now)
    return by_slug(session, definition.slug)


def change(
    session: Session, slug: str, values: Mapping[str, Any], *, services: FormServices, now: datetime
) -> StoredForm:
    """Replace the definition of a form; the slug stays. Pending submissions keep the consent text that they saw.

    Raises NotFound, InvalidInput.
    """
    by_slug(session, slug)
    definition = _read(session, {**values, "slug": slug}, services)
    form_id = session.execute(_CHANGE, {**_row(definition), "now": now}).scalar_one()
    _add_consent(session, form_id, definition.consent, now)
    return by_slug(session, slug)


def check_unchanged(session: Session, slug: str, updated_at: str) -> None:
    """Lock a form, and raise Conflict unless `updated_at`, as ISO 8601, is the moment of its latest change."""
    latest = session.scalar(select(Form.updated_at).where(Form.slug == slug).with_for_update())
    if latest is not None and latest.isoformat() != updated_at:
        raise Conflict("form: somebody has changed it meanwhile; load it again")


def set_active(session: Session, slug: str, is_active: bool, *, now: datetime) -> StoredForm:
    """Enable or disable a form; links in sent e-mails keep working. Safe to repeat. Raises NotFound."""
    slug = by_slug(session, slug).definition.slug
    session.execute(_SET_STATE, {"slug": slug, "state": ACTIVE if is_active else DISABLED, "now": now})
    return by_slug(session, slug)


def by_slug(session: Session, slug: str) -> StoredForm:
    """Return a form; raises NotFound."""
    row = None if "\0" in slug else session.execute(_BY_SLUG, {"slug": slug[:51]}).first()  # a NUL cannot be compared
    if row is None:
        raise NotFound("form: there is none with this slug")
    return _forms([row])[0]


def by_id(session: Session, form_id: UUID) -> StoredForm:
    """Return the form with this id, which must exist."""
    return _forms([session.execute(_BY_ID, {"id": form_id}).one()])[0]


def named(session: Session, slug: str) -> StoredForm:
    """Return the form with this slug; raises NotFound, which names the nearest slug."""
    try:
        return by_slug(session, slug)
    except NotFound:
        slugs = session.scalars(select(Form.slug).order_by(Form.slug).limit(1_000)).all()
        raise NotFound(f"form: {errors.unknown(slug, slugs)}") from None


def page(session: Session, *, after: str = "", limit: int = LIMIT) -> list[StoredForm]:
    """Return the next forms in the order of their slugs."""
    return _forms(session.execute(_PAGE, {"after": after.replace("\0", ""), "limit": limit}).all())


def _read(session: Session, values: Mapping[str, Any], services: FormServices) -> Definition:
    definition = definitions.read(values, own_origin=services.origin)
    if definition.campaign_id and session.get(Campaign, definition.campaign_id) is None:
        raise InvalidInput.of("campaign_id", "there is no campaign with this id")
    needed = [f"confirmation_{language}" for language in definitions.LANGUAGES] if definition.double_opt_in else []
    for name in [*needed, *(["signup_notice"] if definition.notify else [])]:
        try:
            services.library.get(name)
        except UnusableTemplate as unusable:
            field = "double_opt_in" if name in needed else "notify"
            raise InvalidInput.of(field, f"needs the template {name!r}: {unusable.faults[0].message}") from None
    return definition


def _row(definition: Definition) -> dict[str, Any]:
    notify = vault.current().encrypt(json.dumps(definition.notify))
    return {"slug": definition.slug, "definition": json.dumps(definition.stored()), "notify": notify}


def _add_consent(session: Session, form_id: UUID, texts: Texts, now: datetime) -> None:
    if texts:
        own = {"digest": edits.digest(dict(texts)), "texts": edits.canonical(dict(texts))}
        row = {"id": ids.new(), "form_id": form_id, **own, "now": now}
        session.execute(_ADD_CONSENT, row)


def _forms(rows: Sequence[Row[Any]]) -> list[StoredForm]:
    notified = vault.current().decrypt_all([row.notify for row in rows])
    return [_form(row, json.loads(addresses or "[]")) for row, addresses in zip(rows, notified, strict=True)]


def _form(row: Row[Any], notify: Sequence[str]) -> StoredForm:
    definition = definitions.restored(row.slug, row.definition, notify)
    return StoredForm(row.id, definition, row.state, row.created_at, row.updated_at, row.consent_text_id)
