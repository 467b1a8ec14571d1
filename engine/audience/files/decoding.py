"""Text lines of a file in the encodings that spreadsheets and address books write."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from errors import InvalidInput

LINE_BYTES_MAX = 65_536
_BLOCK_BYTES = 65_536
_UTF8_BOM = codecs.BOM_UTF8
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LABELS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "cp1252": "Windows-1252",
    "cp1251": "Windows-1251 (Cyrillic)",
    "mac-roman": "Mac Roman",
    "cp850": "DOS 850",
}

_TO_CSV = (
    "not CSV: open it in its program and save it as CSV (in Excel: File, Save As, “CSV UTF-8”; in LibreOffice: File, "
    "Save As, “Text CSV”), or run `soffice --headless --convert-to csv FILE`"
)
_TO_EXPORT = "not CSV: export the contacts again and choose CSV"
_TO_UNPACK = "not CSV: unpack it first"
# First bytes of other formats, with the name and the remedy.
_FORMATS = (
    (b"PK\x03\x04", "an archive (.zip)", _TO_UNPACK),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", _TO_CSV),
    (b"%PDF", "a PDF file", _TO_EXPORT),
    (b"{\\rtf", "an RTF file", _TO_EXPORT),
    (b"\x1f\x8b", "a compressed file (.gz)", _TO_UNPACK),
    (b"BEGIN:VCARD", "a file of vCards (.vcf)", _TO_EXPORT),
    (b"<!doctype", "an HTML page", _TO_CSV),
    (b"<html", "an HTML page", _TO_CSV),
    (b"<table", "an HTML page", _TO_CSV),
    (b"<?xml", "an XML file", _TO_CSV),
)
# Names inside the archives in which spreadsheets are stored.
_ARCHIVED = (
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (.ods)"),
    (b"[Content_Types].xml", "an Excel workbook (.xlsx)"),
    (b"xl/", "an Excel workbook (.xlsx)"),
    (b".iwa", "a Numbers document"),
)

# Signs of a wrong decoding: a capital within a word of lower case, a symbol within a word, and an apostrophe where no
# language has one (Garc’a for García).
_ODD = re.compile(
    r"[^\W\d_](?:[^\w\s'’‘\-·.,;:|/&+@()\"ªº]|·)(?=[^\W\d_])|[a-zß-öø-ÿ](?=[À-ÖØ-ÞŸŽŠŒ])"
    r"|[^\W\d_]\xa0(?=[a-zß-öø-ÿ])"
)
_ODD_APOSTROPHE = re.compile(r"(?<!ll)(?<!nt)(?<!st)(?<=[a-z]{2})’(?!s\b|t\b|re\b|ll\b|ve\b)(?=[a-z])")
_CYRILLIC_WORD = re.compile(rb"[\xc0-\xff]{3,}")
_OUTSIDE_ASCII = re.compile(rb"[\x80-\xff]")


class Source(Protocol):
    """A file, or anything else that bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, none at the end."""
        ...


@dataclass(slots=True)
class Text:
    """The text of a file; iterate `lines()` once. Reading sets `encoding` and adds to `notes`: (line, message)."""

    source: Source
    stated: str | None = None
    encoding: str = "UTF-8"
    notes: list[tuple[int, str]] = field(default_factory=list)
    _fallback: str | None = None

    def lines(self) -> Iterator[str]:
        """Yield the lines with their endings LF, CR LF or CR.

        A line over LINE_BYTES_MAX is divided. A line that is not UTF-8 is read in the encoding that fits best, with
        a note. Raises InvalidInput for a file of another format.
        """
        number = 0
        for raw_lines in self._raw_blocks():
            for raw in raw_lines:
                number += 1
                try:
                    yield raw.decode()
                except UnicodeDecodeError:
                    yield raw.decode(self._other(number, raw_lines), errors="replace")

    def _other(self, number: int, raw_lines: list[bytes]) -> str:
        """Return the encoding of lines that are not UTF-8, chosen by the first block that has some."""
        if self._fallback is None:
            self._fallback = _guess(b"".join(raw for raw in raw_lines if not _is_utf8(raw)))
            self.encoding = _LABELS[self._fallback]
            self.notes.append((number, f"is not UTF-8; this and other such lines were read as {self.encoding}"))
        return self._fallback

    def _raw_blocks(self) -> Iterator[list[bytes]]:
        """Yield lists of whole lines in UTF-8, or in an unknown encoding."""
        rest = b""
        for block in filter(None, self._utf8_blocks()):
            *lines, rest = (rest + block).splitlines(keepends=True)
            if len(rest) > LINE_BYTES_MAX:
                lines.append(rest)
                rest = b""
            yield lines
        if rest:
            yield [rest]

    def _utf8_blocks(self) -> Iterator[bytes]:
        """Yield the blocks of the file, converted to UTF-8 if it is UTF-16 or its encoding was stated."""
        first = self.source.read(_BLOCK_BYTES)
        _refuse_other_formats(first)
        encoding = _codec(self.stated) if self.stated else _utf16(first)
        blocks = chain([first], iter(lambda: self.source.read(_BLOCK_BYTES), b""))
        if encoding is None or encoding == "utf-8":
            yield from (block.removeprefix(_UTF8_BOM) if block is first else block for block in blocks if block)
            return
        self.encoding = _LABELS.get(encoding, encoding)
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        for block in chain(blocks, [b""]):
            yield decoder.decode(block, final=not block).replace("\ufeff", "").encode("utf-8", errors="replace")


def _codec(name: str) -> str:
    """Return Python's name of a stated encoding; raise InvalidInput if it is none of text."""
    try:
        codec = codecs.lookup(name)
        "ñ".encode(name, errors="replace").decode(name)
    except (LookupError, UnicodeError, TypeError, ValueError):
        raise InvalidInput.of(
            "encoding", "is unknown; give one such as utf-8, cp1252, mac_roman, cp1251 or shift_jis"
        ) from None
    return codec.name


def _utf16(first: bytes) -> str | None:
    """Return the encoding of a UTF-16 file, recognised by a byte order mark or by the NUL bytes of its ASCII text."""
    if first[:2] in _UTF16:
        return _UTF16[first[:2]]
    head = first[:2_000]
    if not head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 < len(head) or min(even, odd) * 8 > max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _refuse_other_formats(first: bytes) -> None:
    head = first[:64].removeprefix(_UTF8_BOM).lstrip().lower()
    for beginning, name, remedy in _FORMATS:
        if head.startswith(beginning.lower()):
            inner = next((inner for part, inner in _ARCHIVED if part in first), None)
            if inner is not None and beginning.startswith(b"PK"):
                name, remedy = inner, _TO_CSV
            raise InvalidInput.of("file", f"is {name} and {remedy}")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes) -> str:
    """Return the encoding that fits lines outside UTF-8 best: Windows-1251, Windows-1252, Mac Roman or DOS 850."""
    cyrillic = sum(len(word.group()) for word in _CYRILLIC_WORD.finditer(data))
    if cyrillic * 2 > len(_OUTSIDE_ASCII.findall(data)):
        return "cp1251"
    return min(("cp1252", "mac-roman", "cp850"), key=lambda encoding: _oddities(data, encoding))


def _oddities(data: bytes, encoding: str) -> int:
    text = data.decode(encoding, errors="replace")
    return len(_ODD.findall(text)) + len(_ODD_APOSTROPHE.findall(text))
