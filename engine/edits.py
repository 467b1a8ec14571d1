"""Shared editing: digests of contents, detection of concurrent saves, notes of versions."""

import hashlib
import json

from errors import Conflict, InvalidInput, shown

NOTE_CHARS_MAX = 200


def canonical(value: object) -> str:
    """Return a value as canonical JSON; raise ValueError for a number that JSON cannot express."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def digest(value: object) -> bytes:
    """Return the SHA-256 of a value as canonical JSON; equal values have equal digests."""
    return hashlib.sha256(canonical(value).encode()).digest()


def is_change(content: str, newest: str, number: int, *, expected: str | None) -> bool:
    """Return False if the newest version has this content already, as after a repeated save.

    `content`, `newest` and `expected` are digests: of the content to save, of version `number`, the newest, and of the
    version that its author edited; None replaces any. Raises Conflict if somebody else has saved a version since.
    """
    if content == newest:
        return False
    if expected is not None and expected != newest:
        raise Conflict(
            f"version: somebody has saved version {number} meanwhile, with the digest {newest}, "
            f"not {shown(expected)}: load it again"
        )
    return True


def check_note(note: str) -> None:
    """Raise InvalidInput for a note that is too long or not printable."""
    if len(note) > NOTE_CHARS_MAX or not note.isprintable():
        raise InvalidInput.of("note", f"give at most {NOTE_CHARS_MAX} printable characters")


def note_of(text: str) -> str:
    """Return a text of another origin, such as the name of a file, in the form of a note."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())[:NOTE_CHARS_MAX]
