"""Content of uploaded files: compressed and encrypted in parts, in a temporary file at first, then in the database."""

import zlib
from collections.abc import Callable, Iterator
from io import SEEK_SET
from tempfile import TemporaryFile
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from models import FileImportChunk, vault

CHUNK_BYTES = 524_288
_FASTEST = 1


def _sealed(part: bytes) -> str:
    return vault.current().seal(zlib.compress(part, _FASTEST))


def _unsealed(token: str) -> bytes:
    return zlib.decompress(vault.current().unseal(token))


class Spool:
    """A file that is being received: encrypted parts in a temporary file without a name, one part in memory."""

    def __init__(self) -> None:
        self.size = 0
        self._file = TemporaryFile()  # noqa: SIM115  # open for the life of the spool; `close` closes it
        self._part = bytearray()
        self._sizes: list[int] = []

    def write(self, data: bytes) -> int:
        """Add bytes to the end."""
        self.size += len(data)
        self._part += data
        while len(self._part) >= CHUNK_BYTES:
            self._seal(CHUNK_BYTES)
        return len(data)

    def seek(self, _position: int, _whence: int = SEEK_SET) -> int:
        """Complete the file; `reader` and `tokens` read it from its beginning."""
        if self._part:
            self._seal(len(self._part))
        return 0

    def tokens(self) -> Iterator[str]:
        """Yield the encrypted parts in order."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size).decode()

    def reader(self) -> "Reader":
        """Return a reader of the whole file."""
        parts = map(_unsealed, self.tokens())
        return Reader(lambda _: next(parts, None))

    def close(self) -> None:
        """Discard the file."""
        self._file.close()

    def _seal(self, size: int) -> None:
        token = _sealed(bytes(self._part[:size])).encode()
        del self._part[:size]
        self._file.write(token)
        self._sizes.append(len(token))


class Reader:
    """Reads a file whose parts are fetched by their number, one at a time; None is its end."""

    def __init__(self, fetch: Callable[[int], bytes | None]) -> None:
        self.position = 0
        self._fetch = fetch
        self._number = 0
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        if not self._rest:
            self._rest = self._fetch(self._number) or b""
            self._number += 1
        part = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(part) :]
        self.position += len(part)
        return part


def store(session: Session, import_id: UUID, tokens: Iterator[str]) -> None:
    """Store the encrypted parts of a file."""
    for number, token in enumerate(tokens):
        session.execute(insert(FileImportChunk).values(import_id=import_id, number=number, content=token))


def fetch(session: Session, import_id: UUID, number: int) -> bytes | None:
    """Return one part of a file, None after the last."""
    query = select(FileImportChunk.content).where(
        FileImportChunk.import_id == import_id, FileImportChunk.number == number
    )
    token = session.scalar(query)
    return None if token is None else _unsealed(token)


def remove(session: Session, import_id: UUID) -> None:
    """Delete the content of a file."""
    session.execute(delete(FileImportChunk).where(FileImportChunk.import_id == import_id))
