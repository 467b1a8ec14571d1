"""Copy a template of a folder: its content, which needs no other file."""

import re
from collections.abc import Callable
from html import unescape

from engine.templates import additions, compiling, sources
from engine.templates.sources import FolderParts
from engine.templates.versions.content import FIELDS, Content, of_files

_BLOCK = re.compile(r"(\{%-?\s*block\s+preheader\s*-?%\})(.*?)(\{%-?\s*endblock\b)", re.DOTALL)
_NO_LINE = re.compile(r"<|\bsuper\b|\{%-?\s*block\b")  # characters that a field of one line cannot have
_LEFT_EMPTY = re.compile(r"<mj-preview></mj-preview>\s*|<div style=\"display:\s*none[^>]*></div>\s*")


def of_folder(parts: FolderParts) -> Content:
    """Return the content of a folder; layouts are filled in, so that it needs no other file.

    The block of the preheader becomes the preheader. Variables of the brand stay variables. Raise
    compiling.BrokenTemplate if a file is missing or invalid.
    """
    compiling.compile_parts(parts.folder.name, parts)  # joined segments can compile although one of them does not
    names = [name for name in FIELDS if parts.has(name)]
    written = {name: parts.read(name) for name in names}
    for name in [name for name, source in written.items() if name.startswith("body.") and compiling.has_blocks(source)]:
        line = "" if name == "body.txt" or additions.PREHEADER in names else _preheader(written[name])
        flat = sources.joined(sources.flatten(compiling.HTML, _without(line, parts.read), name))
        written[name] = _LEFT_EMPTY.sub("", flat, count=1) if line else flat
        if line:
            written[additions.PREHEADER] = line
    return of_files(written)


def _preheader(source: str) -> str:
    """Return the content of the block `preheader`, if it is one line of text, as text; else an empty one."""
    block = _BLOCK.search(source)
    return "" if block is None or _NO_LINE.search(block[2]) else unescape(block[2]).strip()


def _without(line: str, read: Callable[[str], str]) -> Callable[[str], str]:
    """Return `read` with the block `preheader` of each source empty, if there is a line in its stead."""
    return (lambda name: _BLOCK.sub(r"\1\3", read(name))) if line else read
