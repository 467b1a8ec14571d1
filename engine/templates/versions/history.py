"""Read templates in the database: their list, their versions, and the difference of two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.templates.sources import NAME
from engine.templates.versions.content import FIELDS, Content
from errors import NotFound, shown

LIMIT = 100  # rows of a page
NUMBER_MAX = 32_767
_LINES_COMPARED_MAX = 2_000  # of both sides, after equal lines at begin and end: comparing more could take minutes
_CONTEXT = 3

_COLUMNS = """
t.name, v.version, v.subject, v.digest, v.note, v.created_at, v.author, a.name AS author_name, t.published_version,
t.newest_version
"""
_JOINS = "JOIN template_versions v ON v.template_id = t.id LEFT JOIN accounts a ON a.id = v.author"
_LIST = text(f"""
SELECT {_COLUMNS} FROM templates t {_JOINS}
 WHERE t.name > :after AND t.deleted_at IS NULL AND v.version = t.newest_version ORDER BY t.name LIMIT :limit
""")  # noqa: S608  # constants
_VERSIONS = text(f"""
SELECT {_COLUMNS} FROM templates t {_JOINS}
 WHERE t.name = :name AND v.version >= t.first_version AND v.version < :before AND t.deleted_at IS NULL
 ORDER BY v.version DESC LIMIT :limit
""")  # noqa: S608  # constants
_VERSION = text(f"""
SELECT {_COLUMNS}, v.preheader, v.html, v.mjml, v.text, v.sample FROM templates t {_JOINS}
 WHERE t.name = :name AND t.deleted_at IS NULL
   AND v.version >= t.first_version AND v.version = coalesce(CAST(:version AS smallint), t.newest_version)
""")  # noqa: S608  # constants
_CONTENT = text("""
SELECT v.subject, v.preheader, v.html, v.mjml, v.text, v.sample
  FROM templates t JOIN template_versions v ON v.template_id = t.id WHERE t.name = :name AND v.version = :version
""")
_PUBLISHED = text("SELECT name, published_version FROM templates WHERE published_version IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Version:
    """One saved state of a template. `newest` and `published` are the numbers of the template's versions now."""

    name: str
    version: int
    subject: str
    digest: str
    note: str | None
    created_at: datetime
    author_id: UUID | None
    author: str | None
    published: int | None
    newest: int

    @property
    def is_published(self) -> bool:
        """True if new e-mails use this version."""
        return self.version == self.published

    @property
    def is_newest(self) -> bool:
        """True if it was saved last."""
        return self.version == self.newest


def templates(session: Session, *, after: str = "", limit: int = LIMIT) -> list[Version]:
    """Return the newest version of each template by name, a page of them that follows the name `after`."""
    return [_version(row) for row in session.execute(_LIST, {"after": after.replace("\0", ""), "limit": limit})]


def every(session: Session) -> Iterator[Version]:
    """Yield the newest version of each template by name, however many there are; reads a page at a time."""
    after = ""
    while page := templates(session, after=after):
        yield from page
        after = page[-1].name


def published(session: Session) -> dict[str, int]:
    """Return the published version of each template that has one, by name."""
    return {row.name: row.published_version for row in session.execute(_PUBLISHED)}


def versions(session: Session, name: str, *, before: int | None = None, limit: int = LIMIT) -> list[Version]:
    """Return the versions of a template, newest first, those before `before` only. Raises NotFound."""
    values = {"name": name, "before": NUMBER_MAX if before is None else before, "limit": limit}
    rows = session.execute(_VERSIONS, values).all() if NAME.fullmatch(name) else []
    if not rows:
        version(session, name)
    return [_version(row) for row in rows]


def version(session: Session, name: str, number: int | None = None) -> tuple[Version, Content]:
    """Return a version of a template, by default the newest, and its content. Raises NotFound."""
    exists = NAME.fullmatch(name) and 0 < (number or 1) <= NUMBER_MAX
    row = session.execute(_VERSION, {"name": name, "version": number}).first() if exists else None
    if row is None:
        raise NotFound(missing(name, number))
    return _version(row), content_of(row)


def find(session: Session, name: str, number: int) -> Content | None:
    """Return the content of a version, also of a deleted template; None if it does not exist."""
    row = session.execute(_CONTENT, {"name": name, "version": number}).first()
    return None if row is None else content_of(row)


def missing(name: str, number: int | None = None) -> str:
    """Return the message for a template or version that does not exist."""
    if number is None:
        return f"template: there is no {shown(name)} in the database; a folder's can be copied under another name"
    return f"version: {shown(name)} has no version {number} in the database"


def content_of(row: Row[Any]) -> Content:
    """Return the content in a row of `template_versions`."""
    return Content(row.subject, row.preheader, row.html, row.mjml, row.text, row.sample)


def diff(old: Content, new: Content) -> dict[str, list[str]]:
    """Return the lines of a unified diff, without file names, for each part that differs, by its field."""
    before, after = old.files(), new.files()
    differences = {
        field: _diff(before.get(name, "").splitlines(), after.get(name, "").splitlines())
        for name, field in FIELDS.items()
        if before.get(name) != after.get(name)
    }
    return {field: lines or ["\\ only line ends differ"] for field, lines in differences.items()}


def _diff(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return a unified diff; a long stretch in which both differ is replaced as a whole."""
    begin = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), None)
    if begin is None:
        begin = min(len(old), len(new))
    end = 0
    while end < min(len(old), len(new)) - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    changed = old[begin : len(old) - end], new[begin : len(new) - end]
    if sum(map(len, changed)) <= _LINES_COMPARED_MAX:
        first = max(0, begin - _CONTEXT)
        lines = list(unified_diff(old[first : len(old) - max(0, end - _CONTEXT)],
                                  new[first : len(new) - max(0, end - _CONTEXT)], lineterm="", n=_CONTEXT))  # fmt: skip
        return [_shifted(line, first) for line in lines[2:]]
    head = f"@@ -{begin + 1},{len(changed[0])} +{begin + 1},{len(changed[1])} @@"
    return [head, *(f"-{line}" for line in changed[0]), *(f"+{line}" for line in changed[1])]


def _shifted(line: str, by: int) -> str:
    """Return a line of a diff of texts that begin `by` lines later."""
    if not line.startswith("@@"):
        return line
    _, old, new, _ = line.split(" ")
    return f"@@ {_moved(old, by)} {_moved(new, by)} @@"


def _moved(span: str, by: int) -> str:
    start, comma, count = span[1:].partition(",")
    return f"{span[0]}{int(start) + by}{comma}{count}"


def _version(row: Row[Any]) -> Version:
    return Version(
        name=row.name,
        version=row.version,
        subject=row.subject,
        digest=row.digest.hex(),
        note=row.note,
        created_at=row.created_at,
        author_id=row.author,
        author=row.author_name,
        published=row.published_version,
        newest=row.newest_version,
    )
