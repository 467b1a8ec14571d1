"""Change templates in the database: each save is a new version, and a published version never changes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

import errors
from engine import edits
from engine.templates import brand, compiling, variables
from engine.templates.sources import NAME
from engine.templates.templates import Library, Template
from engine.templates.versions import content as contents
from engine.templates.versions import copying, failing, history
from engine.templates.versions.content import Content
from engine.templates.versions.history import Version
from errors import Conflict, Fault, InvalidInput, NotFound, shown
from models import ids

VERSIONS_MAX = 30_000  # numbers have 16 bits
KEPT_FOR = timedelta(days=30)  # after a deletion, for e-mails that other processes accepted at that moment
_NAMED = 5  # campaigns that a refusal names

_LOCK = text("""
SELECT t.id, t.newest_version, t.published_version, t.deleted_at, v.digest
  FROM templates t LEFT JOIN template_versions v ON v.template_id = t.id AND v.version = t.newest_version
 WHERE t.name = :name FOR NO KEY UPDATE OF t
""")
_CREATE = text("""
INSERT INTO templates (id, name, created_at, newest_version) VALUES (:id, :name, :now, 1)
ON CONFLICT (name) DO UPDATE
SET first_version = templates.newest_version + 1, newest_version = templates.newest_version + 1, deleted_at = NULL,
    created_at = :now
WHERE templates.deleted_at IS NOT NULL
RETURNING id, newest_version
""")
_ADVANCE = text("UPDATE templates SET newest_version = :version WHERE id = :id")
_ADD = text(r"""
INSERT INTO template_versions (template_id, version, subject, preheader, html, mjml, text, sample, digest, author, note,
                               created_at, pictures)
VALUES (:id, :version, :subject, :preheader, :html, :mjml, :text, :sample, :digest, :author, :note, :now,
        ARRAY(SELECT DISTINCT digests[1]
                FROM regexp_matches(concat_ws(' ', CAST(:html AS text), CAST(:mjml AS text), CAST(:text AS text),
                                              CAST(:sample AS text)), '\m[0-9a-f]{40}\M', 'g') AS digests))
""").bindparams(bindparam("sample", type_=JSONB))
_PUBLISH = text("UPDATE templates SET published_version = :version WHERE id = :id")
_USERS = text("""
SELECT c.name FROM campaign_steps s JOIN campaigns c ON c.id = s.campaign_id
 WHERE s.template = :name AND (c.state NOT IN ('finished', 'cancelled') OR c.stop_after IS NOT NULL)
 ORDER BY c.name LIMIT :limit
""")
_IN_QUEUE = text("""
SELECT EXISTS (SELECT FROM emails WHERE status = 'queued' AND lane IN ('transactional', 'campaign') AND template = :name
                AND template_version IS NOT NULL)
    OR EXISTS (SELECT FROM emails WHERE status IN ('claimed', 'sending') AND template = :name
                AND template_version IS NOT NULL)
    OR EXISTS (SELECT FROM send_groups g JOIN campaign_steps s ON s.campaign_id = g.campaign_id AND s.step = g.step
                WHERE g.state = 'open' AND s.template = :name)
""")
_DELETE = text("UPDATE templates SET deleted_at = now(), published_version = NULL WHERE id = :id")
_PURGE = text("""
DELETE FROM template_versions v USING templates t
 WHERE v.template_id = ANY(ARRAY(SELECT id FROM templates WHERE deleted_at < now() - :kept_for OR first_version > 1))
   AND t.id = v.template_id
   AND (t.deleted_at < now() - :kept_for OR v.version < t.first_version AND t.created_at < now() - :kept_for)
""")


@dataclass(frozen=True, slots=True)
class Change:
    """The author, the moment and the note of a version."""

    author: UUID | None
    at: datetime
    note: str | None = None


def create(session: Session, name: str, content: Content, *, library: Library, change: Change) -> Version:
    """Store a new template as a draft, and return its first version.

    Raises InvalidInput with all faults; Conflict if a template has the name, also one of the folder.
    """
    if not NAME.fullmatch(name):
        problem = f"{shown(name)}: give 1 to 50 of a to z, 0 to 9 and _, and begin with none of _"
        raise InvalidInput.of("name", problem)
    if name in library.folder_names():
        raise Conflict(f"name: a template of the folder is called {name}; copy it under another name")
    _check(content, change)
    row = session.execute(_CREATE, {"id": ids.new(), "name": name, "now": change.at}).first()
    if row is None:
        raise Conflict(f"name: there is a template {name} already; choose another name, or save a version of it")
    return _add(session, name, (row.id, row.newest_version), content, change)


def save(session: Session, name: str, content: Content, *, expected: str, change: Change) -> Version:
    """Store a new version, a draft until it is published, and return it.

    `expected` is the digest of the newest version that the caller saw. Safe to repeat: content equal to the newest
    version is not stored again. Raises NotFound; InvalidInput with all faults; Conflict with both digests if somebody
    else has saved a version meanwhile.
    """
    row = _lock(session, name)
    _check(content, change)
    if not edits.is_change(content.digest, row.digest.hex(), row.newest_version, expected=expected):
        return history.version(session, name)[0]
    return _next(session, name, row, content, change)


def revert(session: Session, name: str, version: int, *, change: Change) -> Version:
    """Store the content of an old version as a new one, and return it; equal content is not stored again.

    Raises NotFound.
    """
    row = _lock(session, name)
    _, content = history.version(session, name, version)
    if not edits.is_change(content.digest, row.digest.hex(), row.newest_version, expected=None):
        return history.version(session, name)[0]
    return _next(session, name, row, content, change)


def clone(session: Session, source: str, name: str, *, library: Library, change: Change) -> Version:
    """Store a copy of a template as a new one, and return its first version.

    Of a template in the database its newest version is copied; of one in the folder its files, with the layouts filled
    in. Raises UnknownTemplate, BrokenTemplate, and the errors of `create`.
    """
    try:
        content = history.version(session, source)[1]
    except NotFound:
        content = copying.of_folder(library.parts(source))
    return create(session, name, content, library=library, change=change)


def publish(session: Session, name: str, version: int, *, library: Library) -> Version:
    """Let new e-mails use this version. Launched campaigns and queued e-mails keep theirs.

    Raises NotFound; InvalidInput with all faults if no e-mail can be made of it.
    """
    row = _lock(session, name)
    validate(library, name, history.version(session, name, version)[1])
    session.execute(_PUBLISH, {"id": row.id, "version": version})
    return history.version(session, name, version)[0]


def validate(library: Library, name: str, content: Content) -> Template:
    """Return the compiled template, of which e-mails with its sample values can be made.

    Raises InvalidInput with the faults, in fields like `html`, with lines of the sources where they are known.
    """
    content.check()
    try:
        template = library.compile(name, content.parts())
    except compiling.BrokenTemplate as broken:
        raise InvalidInput([_fault(broken)]) from None
    faults = [Fault("sample", _lacks(each, template)) for each in sorted(template.lacking)]
    if not faults:
        faults = [_of_sample(template, content, fault) for fault in template.check(template.sample)]
    if faults:
        raise InvalidInput(faults)
    return template


def delete(session: Session, name: str) -> None:
    """Delete a template with all its versions.

    Raises NotFound; Conflict if a campaign that has not ended or a queued e-mail uses it.
    """
    row = _lock(session, name)
    users = session.scalars(_USERS, {"name": name, "limit": _NAMED + 1}).all()
    if users:
        named = ", ".join(users[:_NAMED]) + (" and others" if len(users) > _NAMED else "")
        raise Conflict(f"template: these campaigns use {name}: {named}; delete or cancel them, or let them finish")
    if session.scalar(_IN_QUEUE, {"name": name}):
        raise Conflict(f"template: queued e-mails use {name}; delete it when they are sent")
    session.execute(_DELETE, {"id": row.id})


def purge(session: Session) -> None:
    """Delete the versions of templates that were deleted longer than `KEPT_FOR` ago."""
    session.execute(_PURGE, {"kept_for": KEPT_FOR})


def _lock(session: Session, name: str) -> Row[Any]:
    """Return the template's row, locked until the transaction ends. Raises NotFound."""
    row = session.execute(_LOCK, {"name": name}).first() if NAME.fullmatch(name) else None
    if row is None or row.deleted_at is not None:
        raise NotFound(history.missing(name))
    return row


def _check(content: Content, change: Change) -> None:
    content.check()
    edits.check_note(change.note or "")


def _next(session: Session, name: str, row: Row[Any], content: Content, change: Change) -> Version:
    number = row.newest_version + 1
    if number > VERSIONS_MAX:
        raise Conflict(f"version: {name} has {VERSIONS_MAX} versions; copy it under another name")
    session.execute(_ADVANCE, {"id": row.id, "version": number})
    return _add(session, name, (row.id, number), content, change)


def _add(session: Session, name: str, key: tuple[UUID, int], content: Content, change: Change) -> Version:
    values = {each: getattr(content, each) for each in Content.__dataclass_fields__}
    session.execute(
        _ADD,
        {
            **values,
            "sample": dict(content.sample),
            "digest": bytes.fromhex(content.digest),
            "id": key[0],
            "version": key[1],
            "author": change.author,
            "note": change.note or None,
            "now": change.at,
        },
    )
    return history.version(session, name, key[1])[0]


def _fault(broken: compiling.BrokenTemplate) -> Fault:
    field = contents.FIELDS.get(broken.part, "html")
    place = f"line {broken.line}: " if broken.line and broken.part in contents.FIELDS else ""
    return Fault(field, f"{place}{broken.problem}", broken.line if place else None)


def _lacks(name: str, template: Template) -> str:
    """Return the fault of a variable that the sample has no value of, with the one that was perhaps meant."""
    close = errors.nearest(name, sorted({*template.sample, *variables.OF_CONTACT, *brand.NONE.variables()}))
    question = f"; did you mean {close}?" if close else ""
    return f"lacks {name!r}, which the template requires: give it a value, or guard it by `default`{question}"


def _of_sample(template: Template, content: Content, fault: Fault) -> Fault:
    """Return a fault of the sample values in the field of the sample, or at the place that cannot be rendered."""
    if fault.field != "variables":
        return Fault(f"sample.{fault.field.removeprefix('variables.')}", fault.message)
    field, line = failing.place(content, template, template.sample)
    return Fault(field, f"line {line}: {fault.message}" if line else fault.message, line)
