"""The differences of two contents as a page shows them: by part, bounded, long lines cut."""

from dataclasses import replace
from typing import NamedTuple

from engine.templates.versions import history
from engine.templates.versions.content import Content

LINES_MAX, CHARS_MAX = 300, 20_000
_LINE_CHARS = 500


class Difference(NamedTuple):
    """The lines of a unified diff by part, and the number of those that are left out."""

    parts: list[tuple[str, list[str]]]
    more: int


def of(old: Content, new: Content) -> Difference:
    """Return the differences from the old content to the new one."""
    parts: list[tuple[str, list[str]]] = []
    more, lines_left, chars_left = 0, LINES_MAX, CHARS_MAX
    for field, lines in history.diff(_broken(old), _broken(new)).items():
        shown = []
        for line in lines:
            cut = line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…"
            lines_left, chars_left = lines_left - 1, chars_left - len(cut)
            if lines_left < 0 or chars_left < 0:
                more += 1
            else:
                shown.append(cut)
        parts.append(("body" if field in ("html", "mjml") else field, shown))
    return Difference(parts, more)


def _broken(content: Content) -> Content:
    """Return the content with long lines broken between tags; mail tools write a whole e-mail in one."""
    return replace(content, html=_lines(content.html), mjml=_lines(content.mjml))


def _lines(source: str | None) -> str | None:
    lines = source.split("\n") if source else []
    return "\n".join(line.replace("><", ">\n<") if len(line) > _LINE_CHARS else line for line in lines) or source
