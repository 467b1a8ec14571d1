"""The findings of checks, and the source they look at."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice

from engine.templates import compiling, sources
from engine.templates.brand import Brand
from engine.templates.markup import balance, tags
from engine.templates.markup.places import Places
from engine.templates.markup.tags import Tag
from engine.templates.mask import Mask
from engine.templates.sources import Parts, Segment


class Severity(StrEnum):
    """An error makes the e-mail wrong for readers; a warning does so in some programs or for some readers."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A fault of a template: its part (a file) and line there, a constant code, what is wrong, and what would help."""

    part: str
    line: int
    code: str
    severity: Severity
    message: str
    remedy: str


class Body:
    """The body of a template as its author wrote it, with layouts filled and code masked.

    Raise the errors of Jinja and of the file system.
    """

    def __init__(self, template: Parts, sender: Brand) -> None:
        self.template = template
        self.sender = sender
        self.name = sources.body(template)
        self.segments: Sequence[Segment] = compiling.segments_of(template, self.name, sender)
        self.mask = Mask()
        self.masked = self.mask.hide_in_html(self.segments)
        self.places = Places(self.mask, self.segments, self.masked)

    @property
    def is_mjml(self) -> bool:
        """True if it is MJML."""
        return self.name.endswith(".mjml")

    @cached_property
    def tags(self) -> Sequence[Tag]:
        """The start tags, without comments, up to a tag that has no end, and not more than a template may have."""
        starts: list[Tag] = []
        with suppress(tags.EndlessTag):  # structure.unbalanced reports it
            begins = (tag for tag in tags.read(self.masked) if tag.name != "!" and not tag.is_end)
            starts.extend(islice(begins, balance.ELEMENTS_MAX))
        return starts

    def finding(self, at: int, code: str, severity: Severity, message: str, remedy: str) -> Finding:
        """Return a finding at an offset of the masked source."""
        part, line = self.places.of(at)
        return Finding(part or self.name, line, code, severity, message, remedy)
