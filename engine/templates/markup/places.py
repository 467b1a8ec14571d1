"""The file and the line of each offset in a masked source."""

from bisect import bisect_right
from collections.abc import Sequence

from jinja2.exceptions import TemplateSyntaxError

from engine.templates.mask import Mask
from engine.templates.sources import Segment


class Places:
    """Finds offsets of a masked source in the files that its segments come from."""

    def __init__(self, mask: Mask, segments: Sequence[Segment], masked: str) -> None:
        self._masked = masked
        self._segments = segments
        self._begins: list[int] = []
        at = 0
        for segment in segments:
            self._begins.append(at)
            at += len(segment.source) if segment.kind == "text" else mask.length_at(masked, at)

    def of(self, offset: int) -> tuple[str, int]:
        """Return the file and the line of this offset."""
        index = bisect_right(self._begins, offset) - 1
        if index < 0:
            return "", 1
        segment = self._segments[index]
        lines = self._masked.count("\n", self._begins[index], offset) if segment.kind == "text" else 0
        return segment.filename, segment.line + lines

    def error(self, message: str, offset: int) -> TemplateSyntaxError:
        """Return the error with the file and the line of this offset."""
        filename, line = self.of(offset)
        return TemplateSyntaxError(message, line, None, filename or None)
