"""Sample blocks of a new landing page, in the languages of its title: texts that its author replaces."""

from collections.abc import Mapping
from typing import Any

_TEXTS: dict[str, dict[str, str]] = {
    "lead": {
        "es": "Diga en dos frases qué gana quien lee esta página.",
        "en": "Say in two sentences what the readers of this page gain.",
    },
    "button": {"es": "Saber más", "en": "Learn more"},
    "benefits": {"es": "Ventajas", "en": "Benefits"},
    "first": {"es": "Primera ventaja", "en": "First benefit"},
    "second": {"es": "Segunda ventaja", "en": "Second benefit"},
    "third": {"es": "Tercera ventaja", "en": "Third benefit"},
    "reason": {"es": "Una frase que la demuestra.", "en": "One sentence that proves it."},
    "legal": {"es": "Aviso legal y privacidad.", "en": "Legal notice and privacy."},
}


def of(title: Mapping[str, str]) -> dict[str, Any]:
    """Return the blocks of a page with this title."""

    def words(name: str) -> dict[str, str]:
        return {language: text for language, text in _TEXTS[name].items() if language in title}

    items = [{"title": words(name), "text": words("reason")} for name in ("first", "second", "third")]
    return {
        "blocks": [
            {
                "kind": "hero",
                "title": dict(title),
                "text": words("lead"),
                "button": words("button"),
                "target": "#content",
            },
            {"kind": "benefits", "title": words("benefits"), "items": items},
            {"kind": "legal", "text": words("legal")},
        ]
    }
