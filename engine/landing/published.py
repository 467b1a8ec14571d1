"""Published pages as visitors see them, with their form, and the greeting of a reader who comes from an e-mail."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.forms import forms
from engine.forms.forms import StoredForm
from engine.landing import content as contents
from engine.landing.content import Content
from models import ids

GREETED = timedelta(days=30)  # after the sending

_CURRENT = text("""
SELECT p.id, p.published, p.published_at, v.form_id, f.state AS form_state, f.updated_at AS form_updated_at
  FROM pages p JOIN page_versions v ON v.page_id = p.id AND v.version = p.published
  LEFT JOIN forms f ON f.id = v.form_id
 WHERE p.slug = :slug
""")
_CONTENT = text("SELECT content FROM page_versions WHERE page_id = :page_id AND version = :version")
# A reader may follow a link before the e-mail is settled: until then its row says "sending", or there is none, and the
# open group that names its enrollment is the claim.
_GREETED = text("""
SELECT c.first_name FROM emails e JOIN contacts c ON c.id = e.contact_id
 WHERE e.id = :email_id AND e.kind <> 'test' AND c.erased_at IS NULL
   AND (e.sent_at > :since AND e.sent_at <= :now OR e.status = 'sending' AND e.due_at > :since)
UNION ALL
SELECT c.first_name FROM enrollments n JOIN contacts c ON c.id = n.contact_id
 WHERE n.id = :enrollment_id AND c.erased_at IS NULL AND EXISTS (
       SELECT FROM send_groups g
        WHERE g.state = 'open' AND g.campaign_id = n.campaign_id AND g.step = :step AND n.id = ANY(g.members))
   AND NOT EXISTS (SELECT FROM emails WHERE id = :email_id)
LIMIT 1
""")


class Current(NamedTuple):
    """The identity of what a published page shows; a rendering is valid until one of these values changes."""

    page_id: UUID
    version: int
    published_at: datetime
    form_id: UUID | None
    form_state: str | None
    form_updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class PublishedPage:
    """A published page; `form` is None if it has none or a disabled one."""

    slug: str
    current: Current
    content: Content
    form: StoredForm | None


def current(session: Session, slug: str) -> Current | None:
    """Return the identity of a published page; None if none has this slug."""
    row = session.execute(_CURRENT, {"slug": slug[:51].replace("\0", "")}).first()
    return None if row is None else Current(*row)


def load(session: Session, slug: str, current: Current) -> PublishedPage | None:
    """Return the published page with this identity; None if its version was deleted meanwhile."""
    stored: Any = session.scalar(_CONTENT, {"page_id": current.page_id, "version": current.version})
    if stored is None:
        return None
    form = forms.by_id(session, current.form_id) if current.form_id else None
    return PublishedPage(slug, current, contents.restored(stored), form if form and form.is_active else None)


def form_of(session: Session, content: Content) -> StoredForm | None:
    """Return the form of a draft; None if it has none or a disabled one."""
    form = forms.by_slug(session, content.form) if content.form else None
    return form if form and form.is_active else None


def first_name(session: Session, email_id: UUID, *, now: datetime) -> str:
    """Return the first name of the contact who got this e-mail in the last 30 days; empty for any other."""
    values: dict[str, Any] = {"email_id": email_id, "since": now - GREETED, "now": now}
    values |= {"enrollment_id": ids.enrollment_of(email_id), "step": ids.step_of(email_id)}
    return session.scalar(_GREETED, values) or ""
