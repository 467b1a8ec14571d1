"""The mail templates of a folder, each compiled once per process into something quick to check and to render."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from errors import Fault, InvalidInput


class UnknownTemplate(InvalidInput):
    """There is no template of that name; the message lists the names there are."""


class Links(Protocol):
    """The addresses of one mail that lead back to us."""

    pixel: str
    unsubscribe: str  # empty when the mail has no unsubscribe line

    def clicked(self, link: int, target: str) -> str:
        """The address that leads to `target` by way of us."""
        ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """One mail's words, before they become MIME."""

    subject: str
    html: str
    text: str


class Template:
    """One compiled template."""

    name: str
    subject_source: str  # as written, not rendered: what the ledger stores; at most 255 characters
    required: frozenset[str]
    sample: Mapping[str, object]

    def check(self, variables: Mapping[str, object]) -> Sequence[Fault]:
        """Everything that keeps these variables from being rendered, fields named like `variables.nombre`."""
        raise NotImplementedError

    def render(self, variables: Mapping[str, object], links: Links) -> Rendered:
        """The mail in words."""
        raise NotImplementedError


class Library:
    """The templates in one folder, compiled at first use and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> Sequence[str]:
        """The names of all templates, sorted."""
        raise NotImplementedError

    def get(self, name: str) -> Template:
        """The compiled template, or UnknownTemplate."""
        raise NotImplementedError
