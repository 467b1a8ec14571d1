"""Services of forms: the templates, the signer of links, and the address of our pages."""

from dataclasses import dataclass
from typing import Self

from engine.forms import definitions
from engine.forms.signer import Signer
from engine.templates.templates import Library
from settings import Settings


@dataclass(frozen=True, slots=True)
class FormServices:
    """Everything that storing a form and writing its e-mails needs beside the database; made once for each process."""

    library: Library
    signer: Signer
    public_url: str

    @classmethod
    def configured(cls, settings: Settings, library: Library | None = None) -> Self:
        """Return the services that the settings describe; they use `library`, or read the templates themselves."""
        return cls(library or Library.configured(settings), Signer(settings.tracking_ring), settings.public_url)

    @property
    def origin(self) -> str:
        """The origin of our own pages."""
        return definitions.origin_of(self.public_url) or ""

    def url(self, path: str) -> str:
        """Return the address of one of our pages."""
        return f"{self.public_url.rstrip('/')}{path}"
