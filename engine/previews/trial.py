"""Try sources that are not stored: compile them, render their sample, and place each fault at its part and line."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from engine.templates.templates import Library, Template
from engine.templates.versions import failing, store
from engine.templates.versions.content import FIELDS, Content
from errors import Fault, InvalidInput

_QUOTED_CHARS = 160
_LINE = re.compile(r"line (\d+): ")


class PlacedFault(NamedTuple):
    """A fault with its part (`subject`, `preheader`, `body`, `text` or `sample`), its line and the source there."""

    part: str
    line: int | None
    message: str
    quoted: str = ""


def of(library: Library, name: str, content: Content) -> tuple[Template | None, list[PlacedFault]]:
    """Return the template of this name with this content, or None and the faults that prevent its publication."""
    try:
        return store.validate(library, name, content), []
    except InvalidInput as error:
        return None, [placed(fault, content) for fault in error.faults]


def placed(fault: Fault, content: Content | None = None) -> PlacedFault:
    """Return a fault of a field of a content at its part, with the line of the source if the content is there."""
    field, _, name = fault.field.partition(".")
    written = _LINE.match(fault.message)
    line = int(written[1]) if written else fault.line
    message = fault.message[written.end() :] if written else fault.message
    source = getattr(content, field, None) if line and content else None
    lines = source.split("\n") if isinstance(source, str) else []
    quoted = lines[line - 1].strip()[:_QUOTED_CHARS] if line and 0 < line <= len(lines) else ""
    return PlacedFault(part_of(field), line, f"{name}: {message}" if name else message, quoted)


def failed(content: Content, template: Template, values: Mapping[str, object], reason: str) -> PlacedFault:
    """Return the fault of a content of which no e-mail can be made with these values, at its place."""
    field, line = failing.place(content, template, values)
    return placed(Fault(field, reason, line), content)


def part_of(name: str) -> str:
    """Return the part of a field of a content, or of a file of a template."""
    field = FIELDS.get(name, name)
    return "body" if field in ("html", "mjml") else field
