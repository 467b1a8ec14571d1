"""The kinds of blocks and their fields: one description, by which content is read, edited and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LINE, LINES, RICH, LINK, PICTURE, FORM, ITEMS = "line", "lines", "rich", "link", "picture", "form", "items"
TEXTS = (LINE, LINES, RICH)  # by language
KIND = "kind"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a block: its type, the longest text, and of a list the fields of its items and their number."""

    type: str
    chars: int = 0
    is_required: bool = False
    fields: Mapping[str, "Field"] = field(default_factory=lambda: MappingProxyType({}))
    most: int = 0


_TITLE = Field(LINE, 150)
_ITEM = {"title": Field(LINE, 100, is_required=True), "text": Field(LINES, 400)}

KINDS: Mapping[str, Mapping[str, Field]] = {
    "hero": {
        "title": Field(LINE, 150, is_required=True),
        "text": Field(LINES, 500),
        "button": Field(LINE, 60),
        "target": Field(LINK),
        "picture": Field(PICTURE),
        "alt": Field(LINE, 200),
    },
    "text": {"title": _TITLE, "text": Field(RICH, 5_000, is_required=True)},
    "benefits": {"title": _TITLE, "items": Field(ITEMS, is_required=True, fields=_ITEM, most=12)},
    "quote": {
        "text": Field(LINES, 600, is_required=True),
        "author": Field(LINE, 100),
        "role": Field(LINE, 100),
    },
    "picture": {
        "picture": Field(PICTURE, is_required=True),
        "alt": Field(LINE, 200, is_required=True),
        "caption": Field(LINE, 300),
    },
    "form": {"title": _TITLE, "text": Field(LINES, 500), "form": Field(FORM, is_required=True)},
    "legal": {"text": Field(RICH, 5_000, is_required=True)},
}
