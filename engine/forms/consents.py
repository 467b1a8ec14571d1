"""The record of consents: what a contact agreed to, when, where and in which words."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.forms import definitions

LIMIT = 50


@dataclass(frozen=True, slots=True)
class Consent:
    """One confirmed submission. `text` is the consent text in the person's language, empty if the form had none."""

    form: str
    title: str
    submitted_at: datetime
    confirmed_at: datetime
    confirmed_by: str
    page: str | None
    network: str | None
    confirmed_network: str | None
    language: str
    version: int | None
    digest: str | None
    text: str


_OF = text("""
SELECT f.slug, f.definition -> 'title' AS title, s.submitted_at, s.confirmed_at, s.confirmed_by, s.page, s.network,
       s.confirmed_network, s.language, t.version, t.digest, t.texts
  FROM form_submissions s JOIN forms f ON f.id = s.form_id LEFT JOIN consent_texts t ON t.id = s.consent_text_id
 WHERE s.contact_id = :contact_id AND s.state = 'confirmed' ORDER BY s.confirmed_at DESC, s.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Version:
    """A consent text of a form, by language, and the moment since which the form showed it."""

    version: int
    texts: definitions.Texts
    digest: str
    created_at: datetime


_VERSIONS = text("""
SELECT version, texts, digest, created_at FROM consent_texts WHERE form_id = :form_id
 ORDER BY version DESC LIMIT :limit
""")


def versions(session: Session, form_id: UUID) -> list[Version]:
    """Return the consent texts of a form, the newest first."""
    rows = session.execute(_VERSIONS, {"form_id": form_id, "limit": LIMIT})
    return [Version(row.version, row.texts, bytes(row.digest).hex(), row.created_at) for row in rows]


def of(session: Session, contact_id: UUID) -> list[Consent]:
    """Return the consents of a contact, the newest first."""
    return [
        Consent(
            form=row.slug,
            title=definitions.in_language(row.title, row.language),
            submitted_at=row.submitted_at,
            confirmed_at=row.confirmed_at,
            confirmed_by=row.confirmed_by,
            page=row.page,
            network=row.network,
            confirmed_network=row.confirmed_network,
            language=row.language,
            version=row.version,
            digest=bytes(row.digest).hex() if row.digest else None,
            text=definitions.in_language(row.texts or {}, row.language),
        )
        for row in session.execute(_OF, {"contact_id": contact_id, "limit": LIMIT})
    ]
