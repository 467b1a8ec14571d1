"""The templates, the signer of links and the address of our pages, as forms use them."""

from dataclasses import dataclass
from typing import Self

from engine.forms import definitions
from engine.forms.proofs import Proofs
from engine.templates.templates import Library
from settings import Settings


@dataclass(frozen=True, slots=True)
class Office:
    """Templates, signer and address of our pages, as e-mails of forms need them; made once for each process."""

    library: Library
    proofs: Proofs
    public_url: str

    @classmethod
    def configured(cls, settings: Settings, library: Library | None = None) -> Self:
        """Return the office that the settings describe, with a library if there is one already."""
        return cls(library or Library.configured(settings), Proofs(settings.tracking_ring), settings.public_url)

    @property
    def origin(self) -> str:
        """The origin of our own pages."""
        return definitions.origin_of(self.public_url) or ""

    def url(self, path: str) -> str:
        """Return the address of one of our pages."""
        return f"{self.public_url.rstrip('/')}{path}"
