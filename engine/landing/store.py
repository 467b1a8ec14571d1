"""Landing pages: create, save, publish and find them. Each save is a version; everybody sees the published one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import errors
from engine import edits
from engine.forms import definitions, forms
from engine.landing import content as contents
from engine.landing.blocks import KIND
from engine.landing.content import Content
from errors import Conflict, InvalidInput, NotFound
from models import ids

LIMIT = 50
VERSIONS_KEPT = 100
VERSION_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page with one of its versions, usually the newest; `newest` and `published` are numbers of versions."""

    id: UUID
    slug: str
    newest: int
    published: int | None
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    content: Content
    digest: str


@dataclass(frozen=True, slots=True)
class Saved:
    """One save of a page, without its content."""

    version: int
    digest: str
    author: str
    note: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A save: the author, a note, and the digest of the version that was edited; None saves over any other."""

    author: str = ""
    note: str = ""
    expected: str | None = None


_RESERVED, _EXAMPLE = "new", "guia-roi"  # the former is the address of the form of a new page
_COLUMNS = """
p.id, p.slug, p.version AS newest, p.published, p.published_at, p.created_at, p.updated_at,
v.version, v.content, v.digest
"""
_BY_SLUG = text(f"""
SELECT {_COLUMNS} FROM pages p JOIN page_versions v ON v.page_id = p.id AND v.version = coalesce(:version, p.version)
 WHERE p.slug = :slug
""")  # noqa: S608  # constants only
_PAGE = text(f"""
SELECT {_COLUMNS} FROM pages p JOIN page_versions v ON v.page_id = p.id AND v.version = p.version
 WHERE p.slug > :after ORDER BY p.slug LIMIT :limit
""")  # noqa: S608  # constants only
_SLUGS = text("SELECT slug FROM pages ORDER BY slug LIMIT 1000")
_CREATE = text("""
INSERT INTO pages (id, slug, version, created_at, updated_at) VALUES (:id, :slug, 1, :now, :now)
ON CONFLICT (slug) DO NOTHING
""")
_ADD = text("""
INSERT INTO page_versions (page_id, version, content, digest, form_id, author, note, created_at)
VALUES (:page_id, :version, CAST(:content AS jsonb), :digest, :form_id, :author, :note, :now)
""")
_LOCK = text("SELECT id FROM pages WHERE slug = :slug FOR UPDATE")
_ADVANCE = text("UPDATE pages SET version = :version, updated_at = :now WHERE id = :page_id")
_FORGET = text("""
DELETE FROM page_versions v USING pages p
 WHERE p.id = :page_id AND v.page_id = p.id AND v.version <= p.version - :kept
   AND v.version IS DISTINCT FROM p.published
""")
_PUBLISH = text("UPDATE pages SET published = :version, published_at = :now WHERE id = :page_id")
_DELETE = text("DELETE FROM pages WHERE id = :page_id")
_SAVES = text("""
SELECT version, digest, author, note, created_at FROM page_versions
 WHERE page_id = :page_id AND version < :before ORDER BY version DESC LIMIT :limit
""")


def create(session: Session, slug: str, values: Mapping[str, Any], *, change: Change, now: datetime) -> StoredPage:
    """Store a page as its first version, a draft. Raises InvalidInput, Conflict."""
    if not isinstance(slug, str) or not definitions.is_slug(slug) or slug == _RESERVED:
        raise InvalidInput.of("slug", f"give 1 to 50 characters of a to z, 0 to 9 and -, such as {_EXAMPLE}")
    content, form_id = _read(session, values)
    edits.check_note(change.note)
    page_id = ids.new()
    if not session.execute(_CREATE, {"id": page_id, "slug": slug, "now": now}).rowcount:  # type: ignore[attr-defined]
        raise Conflict(f"slug: there is a page {slug!r} already; choose another")
    session.execute(_ADD, _row(page_id, 1, content, change) | {"form_id": form_id, "now": now})
    return by_slug(session, slug)


def save(session: Session, slug: str, values: Mapping[str, Any], *, change: Change, now: datetime) -> StoredPage:
    """Store a new version of a page, which is not published yet; unchanged content makes none. Safe to repeat.

    Raises NotFound, InvalidInput, and Conflict if somebody saved another version than `change.expected` meanwhile.
    """
    page = _locked(session, slug)
    content, form_id = _read(session, values)
    edits.check_note(change.note)
    if not edits.is_change(content.digest, page.digest, page.version, expected=change.expected):
        return page
    version = page.newest + 1
    session.execute(_ADD, _row(page.id, version, content, change) | {"form_id": form_id, "now": now})
    session.execute(_ADVANCE, {"page_id": page.id, "version": version, "now": now})
    session.execute(_FORGET, {"page_id": page.id, "kept": VERSIONS_KEPT})
    return by_slug(session, slug)


def revert(session: Session, slug: str, version: int, *, change: Change, now: datetime) -> StoredPage:
    """Store the content of an earlier version as a new one. Raises NotFound, Conflict."""
    _locked(session, slug)
    return save(session, slug, by_slug(session, slug, version).content.stored(), change=change, now=now)


def publish(session: Session, slug: str, version: int | None, *, now: datetime) -> StoredPage:
    """Publish this version, by default the newest. Safe to repeat. Raises NotFound, InvalidInput."""
    page = _locked(session, slug)
    shown = by_slug(session, slug, version)
    _read(session, shown.content.stored())
    if shown.version != page.published:
        session.execute(_PUBLISH, {"page_id": page.id, "version": shown.version, "now": now})
    return by_slug(session, slug)


def unpublish(session: Session, slug: str) -> StoredPage:
    """Take the page offline. Safe to repeat. Raises NotFound."""
    page = _locked(session, slug)
    session.execute(_PUBLISH, {"page_id": page.id, "version": None, "now": None})
    return by_slug(session, slug)


def delete(session: Session, slug: str) -> None:
    """Delete a page that is not published, with its versions and visits. Raises NotFound, Conflict."""
    page = _locked(session, slug)
    if page.published is not None:
        raise Conflict("the page is published; unpublish it first")
    session.execute(_DELETE, {"page_id": page.id})


def by_slug(session: Session, slug: str, version: int | None = None) -> StoredPage:
    """Return a page with this version, by default the newest; raises NotFound."""
    wanted = None if version is None else min(max(version, 0), VERSION_MAX)
    row = session.execute(_BY_SLUG, {"slug": slug[:51].replace("\0", ""), "version": wanted}).first()
    if row is None:
        raise NotFound("page: there is none with this slug" + ("" if version is None else " and version"))
    return _page(row)


def named(session: Session, slug: str) -> StoredPage:
    """Return the page with this slug; raises NotFound, which names the nearest slug."""
    try:
        return by_slug(session, slug)
    except NotFound:
        raise NotFound(f"page: {errors.unknown(slug, session.scalars(_SLUGS))}") from None


def page(session: Session, *, after: str = "", limit: int = LIMIT) -> list[StoredPage]:
    """Return the next pages in the order of their slugs."""
    return list(map(_page, session.execute(_PAGE, {"after": after.replace("\0", ""), "limit": limit}).all()))


def saves(session: Session, page_id: UUID, *, before: int = VERSION_MAX, limit: int = LIMIT) -> list[Saved]:
    """Return the saves of a page before this version, the newest first."""
    rows = session.execute(_SAVES, {"page_id": page_id, "before": before, "limit": limit})
    return [Saved(row.version, bytes(row.digest).hex(), row.author, row.note, row.created_at) for row in rows]


def _read(session: Session, values: Mapping[str, Any]) -> tuple[Content, UUID | None]:
    """Return the content and the id of its form; raise InvalidInput."""
    content = contents.read(values)
    if content.form is None:
        return content, None
    try:
        return content, forms.named(session, content.form).id
    except NotFound as unknown:
        index = next(index for index, block in enumerate(content.blocks) if block[KIND] == "form")
        raise InvalidInput.of(f"blocks[{index}].form", str(unknown).removeprefix("form: ")) from None


def _locked(session: Session, slug: str) -> StoredPage:
    """Return a page, locked against other changes until the transaction ends; raises NotFound."""
    session.execute(_LOCK, {"slug": slug[:51].replace("\0", "")})
    return by_slug(session, slug)


def _row(page_id: UUID, version: int, content: Content, change: Change) -> dict[str, Any]:
    return {
        "page_id": page_id,
        "version": version,
        "content": json.dumps(content.stored(), ensure_ascii=False),
        "digest": bytes.fromhex(content.digest),
        "author": change.author[:50],
        "note": change.note,
    }


def _page(row: Row[Any]) -> StoredPage:
    values = dict(row._mapping)
    return StoredPage(**values | {"content": contents.restored(row.content), "digest": bytes(row.digest).hex()})
