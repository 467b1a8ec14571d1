"""People who sign up by a form while the demo runs. They get the campaign once they confirm (`recipients`)."""

import json
import time
import urllib.request
from typing import Any

SLUG = "guia"
_READING_S = 2.2  # a form that is sent sooner is a robot's
_FIELDS = {"first_name": "Nombre", "last_name": "Apellidos", "company": "Empresa", "industry": "Sector"}
_PEOPLE = (
    ("marta.vidal@muebles-norte.example", "Marta", "Vidal Soto", "Muebles Norte", "Comercio minorista"),
    ("ignacio.roca@clinica-alameda.example", "Ignacio", "Roca León", "Clínica Alameda", "Salud"),
    ("pilar.otero@talleres-miramar.example", "Pilar", "Otero Gil", "Talleres Miramar", "Manufactura"),
    ("tomas.ibarra@viajes-horizonte.example", "Tomás", "Ibarra Paz", "Viajes Horizonte", "Turismo"),
)


def definition(campaign_id: str) -> dict[str, Any]:
    """Return the form: each confirmed contact enters the campaign."""
    return {
        "slug": SLUG,
        "title": {"es": "Guía de seguimiento"},
        "fields": [{"name": name, "label": {"es": label}} for name, label in _FIELDS.items()],
        "consent": {"es": "Acepto recibir correos de seguimiento y puedo darme de baja cuando quiera."},
        "attributes": {"origen": "Formulario"},
        "campaign_id": campaign_id,
    }


class SignUps:
    """The people at the page of the form: they read it, fill it in, and send it."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/f/{SLUG}"
        self._hidden: dict[str, str] = {}
        self._opened_at = 0.0
        self.are_sent = False

    def open(self) -> int:
        """Open the form; return the number of people."""
        request = urllib.request.Request(self._url, headers={"Accept": "application/json"})  # noqa: S310  # our own
        self._hidden, self._opened_at = json.loads(_answer(request))["hidden"], time.monotonic()
        return len(_PEOPLE)

    def send(self) -> None:
        """Send the form of each person, once they have had the time to fill it in."""
        if self.are_sent or time.monotonic() - self._opened_at < _READING_S:
            return
        for address, *values in _PEOPLE:
            filled = {"email": address, **dict(zip(_FIELDS, values, strict=True)), "consent": "1", "lang": "es"}
            body = json.dumps(filled | self._hidden).encode()
            headers = {"Content-Type": "application/json"}
            _answer(urllib.request.Request(self._url, body, headers))  # noqa: S310  # our own server
        self.are_sent = True


def _answer(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # our own server
        return bytes(answer.read())
