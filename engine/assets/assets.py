"""Assets: add, list, find and remove pictures; the places that use one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.assets import pictures
from errors import Conflict, NotFound
from models import Account, Asset, ids

LIMIT = 24
NAME_CHARS_MAX = 100
DIGEST_CHARS = 40  # of the hexadecimal SHA-256
_NONE = "asset: there is none with this digest"
_USES_MAX = 20
_FILES_MAX, _FILE_BYTES_MAX = 5_000, 1_000_000  # of templates in the folder that are searched
_TEXTS = (".html", ".txt", ".mjml", ".json")


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """An uploaded picture; `name` is that of the file, `account` of who uploaded it, None by the command line."""

    id: UUID
    digest: str
    extension: str
    width: int
    height: int
    size_bytes: int
    name: str
    account: str | None
    created_at: datetime

    @property
    def path(self) -> str:
        """The path of its public address."""
        return f"/a/{self.digest}.{self.extension}"


_COLUMNS = (
    Asset.id, Asset.digest, Asset.extension, Asset.width, Asset.height, Asset.size_bytes, Asset.name,
    Account.name.label("account"), Asset.created_at,
)  # fmt: skip
_LISTED = select(*_COLUMNS).outerjoin(Account, Account.id == Asset.account_id)
# Searches the texts of campaigns and of landing pages, which are small tables; only the published and the newest
# version of a page count. An index finds the versions of templates, each of which may be sent again.
_USES = text("""
SELECT 'campaign' AS kind, name FROM campaigns WHERE strpos(variables::text, :digest) > 0
UNION
SELECT 'page', p.slug FROM pages p
 WHERE strpos((SELECT string_agg(v.content::text, ' ') FROM page_versions v
                WHERE v.page_id = p.id AND v.version IN (p.version, p.published)), :digest) > 0
UNION
SELECT 'template', t.name FROM templates t JOIN template_versions v ON v.template_id = t.id
 WHERE t.deleted_at IS NULL AND v.pictures @> ARRAY[CAST(:digest AS text)]
 LIMIT :most
""")


def add(session: Session, octets: bytes, name: str, *, account_id: UUID | None, now: datetime) -> StoredAsset:
    """Store a picture and return it; an equal one is stored once. Raises InvalidInput."""
    picture = pictures.read(octets)
    digest = sha256(picture.octets).hexdigest()[:DIGEST_CHARS]
    row = {
        "id": ids.new(),
        "digest": digest,
        "extension": picture.extension,
        "width": picture.width,
        "height": picture.height,
        "size_bytes": len(picture.octets),
        "name": _shown(name) or f"{digest[:8]}.{picture.extension}",
        "octets": picture.octets,
        "account_id": account_id,
        "created_at": now,
    }
    session.execute(insert(Asset).values(**row).on_conflict_do_nothing(index_elements=["digest"]))
    return of_digest(session, digest)


def page(session: Session, *, before: UUID | None = None, limit: int = LIMIT) -> list[StoredAsset]:
    """Return the newest pictures, or those older than `before`."""
    query = _LISTED.order_by(Asset.id.desc()).limit(limit)
    rows = session.execute(query if before is None else query.where(Asset.id < before))
    return [StoredAsset(**row._mapping) for row in rows]


def offered(session: Session, paths: Iterable[str]) -> list[StoredAsset]:
    """Return the newest pictures to choose from, and before them older ones that have one of these paths."""
    newest = page(session)
    wanted = {path.rpartition("/")[2].partition(".")[0] for path in paths} - {each.digest for each in newest}
    rows = session.execute(_LISTED.where(Asset.digest.in_(sorted(map(_plain, wanted))))) if wanted else ()
    return [*(StoredAsset(**row._mapping) for row in rows), *newest]


def of_digest(session: Session, digest: str) -> StoredAsset:
    """Return the picture with this digest; raises NotFound."""
    row = session.execute(_LISTED.where(Asset.digest == _plain(digest))).first()
    if row is None:
        raise NotFound(_NONE)
    return StoredAsset(**row._mapping)


def content(session: Session, digest: str, extension: str) -> bytes:
    """Return the bytes of a picture; raises NotFound."""
    octets = session.scalar(
        select(Asset.octets).where(Asset.digest == _plain(digest), Asset.extension == _plain(extension))
    )
    if octets is None:
        raise NotFound(_NONE)
    return octets


def uses(session: Session, digest: str, *, templates: Path) -> list[tuple[str, str]]:
    """Return kind and name of what uses a picture, at most 20: templates, campaigns and landing pages."""
    in_folders = [("template", name) for name in _in_folder(templates, digest.encode())]
    rows = session.execute(_USES, {"digest": digest, "most": _USES_MAX})
    return [*in_folders, *((row.kind, row.name) for row in rows)][:_USES_MAX]


def remove(session: Session, digest: str, *, templates: Path) -> None:
    """Delete a picture that nothing uses. Raises NotFound, Conflict."""
    asset = of_digest(session, digest)
    if users := uses(session, asset.digest, templates=templates):
        names = ", ".join(name for _, name in users)
        raise Conflict(f"asset: it is used by {names}; remove it there first")
    session.execute(delete(Asset).where(Asset.digest == asset.digest))


def _in_folder(folder: Path, digest: bytes) -> Iterator[str]:
    """Yield the names of templates whose files hold the digest."""
    names = set()
    for number, file in enumerate(sorted(folder.rglob("*"))):
        if number >= _FILES_MAX:
            return
        name = file.relative_to(folder).parts[0]
        if name not in names and file.suffix in _TEXTS and digest in _read(file):
            names.add(name)
            yield name


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_FILE_BYTES_MAX)
    except OSError:
        return b""


def _shown(name: str) -> str:
    printable = "".join(character for character in name if character.isprintable())
    return printable.replace("\\", "/").rpartition("/")[2].strip()[-NAME_CHARS_MAX:]


def _plain(value: str) -> str:
    return value.replace("\0", "")[: DIGEST_CHARS + 1]
