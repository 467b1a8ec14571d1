"""Read templates in the database for a library, which compiles them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from time import monotonic

from sqlalchemy.orm import Session

from engine.templates.sources import Parts
from engine.templates.versions import history

PUBLISHED_FOR_S = 1.0


class StoredTemplates:
    """Reads versions in sessions that `opened` opens. Published numbers are kept for a second."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Session]]) -> None:
        self._opened = opened
        self._published: Mapping[str, int] = {}
        self._until = 0.0

    def published(self) -> Mapping[str, int]:
        """Return the published version of each template that has one, by name, as it was at most a second ago."""
        if (now := monotonic()) >= self._until:
            if self._until:  # of those who ask at once, one reads
                self._until = now + PUBLISHED_FOR_S
            with self._opened() as session:
                self._published = history.published(session)
            self._until = monotonic() + PUBLISHED_FOR_S
        return self._published

    def refresh(self) -> None:
        """Read the published numbers anew at the next use."""
        self._until = 0.0

    def parts(self, name: str, version: int) -> Parts | None:
        """Return the parts of a version; None if it does not exist."""
        with self._opened() as session:
            content = history.find(session, name, version)
        return None if content is None else content.parts()
