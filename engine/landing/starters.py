"""Sample blocks of a new landing page, in the languages of its title: texts that its author replaces."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_TEXTS: dict[str, dict[str, str]] = {
    "lead": {
        "es": "Diga en dos frases qué gana quien lee esta página.",
        "en": "Say in two sentences what the readers of this page gain.",
    },
    "first": {"es": "Primera ventaja", "en": "First benefit"},
    "second": {"es": "Segunda ventaja", "en": "Second benefit"},
    "third": {"es": "Tercera ventaja", "en": "Third benefit"},
    "reason": {"es": "Una frase que la demuestra.", "en": "One sentence that proves it."},
    "legal": {"es": "Aviso legal y privacidad.", "en": "Legal notice and privacy."},
}
# Texts that a page may keep.
_FIT = {
    "button": {"es": "Saber más", "en": "Learn more"},
    "benefits": {"es": "Ventajas", "en": "Benefits"},
}
_SAMPLES = {text for texts in _TEXTS.values() for text in texts.values()}


class SampleText(NamedTuple):
    """A text of the sample in a page: the number of its block, its field and its words."""

    block: int
    field: str
    text: str


def of(title: Mapping[str, str]) -> dict[str, Any]:
    """Return the blocks of a page with this title."""

    def words(name: str) -> dict[str, str]:
        return {language: text for language, text in {**_TEXTS, **_FIT}[name].items() if language in title}

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


def unchanged(blocks: Sequence[Mapping[str, Any]]) -> list[SampleText]:
    """Return the texts of the sample that nobody has replaced, in fields like `blocks[0].text.es`."""
    return [
        SampleText(index, field, text)
        for index, block in enumerate(blocks)
        for field, text in _texts(f"blocks[{index}]", block)
        if text in _SAMPLES
    ]


def warnings(blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence about each text of the sample that nobody has replaced."""
    return [f"{each.field} is still the sample's: {each.text!r}" for each in unchanged(blocks)]


def _texts(field: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(f"{field}.{name}", inner)
    elif isinstance(value, Sequence):
        for index, inner in enumerate(value):
            yield from _texts(f"{field}[{index}]", inner)
