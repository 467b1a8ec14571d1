"""Inputs of the fields of blocks, made from their description in the engine, and the values typed into them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.forms import definitions
from engine.forms.definitions import LANGUAGES
from engine.landing import blocks, rich_text
from engine.landing.blocks import KINDS, Field
from errors import InvalidInput
from web.pages.frame import faults, languages
from web.pages.frame.languages import gettext, lazy_gettext

KIND_NAMES = {
    "hero": lazy_gettext("Opening"),
    "text": lazy_gettext("Text"),
    "benefits": lazy_gettext("Benefits"),
    "quote": lazy_gettext("Quote"),
    "picture": lazy_gettext("Picture"),
    "form": lazy_gettext("Form"),
    "legal": lazy_gettext("Legal text"),
}
_LABELS = {
    "title": lazy_gettext("Title"),
    "text": lazy_gettext("Text"),
    "button": lazy_gettext("Words on the button"),
    "target": lazy_gettext("The button leads to"),
    "picture": lazy_gettext("Picture"),
    "alt": lazy_gettext("The picture in words"),
    "author": lazy_gettext("Author"),
    "role": lazy_gettext("Role"),
    "caption": lazy_gettext("Caption"),
    "form": lazy_gettext("Form"),
    "description": lazy_gettext("Description for search engines and social networks"),
    "logo": lazy_gettext("Logo"),
}
_LANGUAGE_NAMES = {"es": lazy_gettext("Spanish"), "en": lazy_gettext("English")}
_HELP = {
    blocks.RICH: lazy_gettext(
        "An empty line begins a paragraph. Of HTML these tags are kept: p, br, strong, em, a, ul, ol, li, h3, h4, "
        "blockquote."
    ),
    blocks.LINK: lazy_gettext("A web address, the path of a page of ours, or #form for the form of this page."),
}
_ITEMS_ADDED = 2  # empty ones, below those that are filled in
_INDEX = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a form; `name` is the place of its value: `title.es`, `items.0.text.en`."""

    name: str
    label: str
    type: str
    chars: int
    is_required: bool
    value: str
    help: str = ""
    language: str = ""

    @property
    def id(self) -> str:
        """The id of its element."""
        return f"field-{self.name.replace('.', '-')}"


def inputs(fields: Mapping[str, Field], values: Mapping[str, Any], under: str = "") -> Iterator[Input]:
    """Yield the inputs of these fields, filled with the values; texts have one for each language."""
    for name, field in fields.items():
        value = values.get(name)
        if field.type == blocks.ITEMS:
            items = [*(value or ()), *[{}] * _ITEMS_ADDED][: field.most]
            for number, item in enumerate(items):
                yield from inputs(field.fields, item, f"{under}{name}.{number}.")
        elif field.type in blocks.TEXTS:
            texts = value if isinstance(value, Mapping) else {}
            for language in LANGUAGES:
                yield _input(f"{under}{name}.{language}", name, field, texts.get(language, ""), language)
        else:
            yield _input(f"{under}{name}", name, field, value or "")


def typed(fields: Mapping[str, Field], form: Mapping[str, str], under: str = "") -> dict[str, Any]:
    """Return the values of a form as the engine reads them; entries of lists without any text are left out."""
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if field.type == blocks.ITEMS:
            items = (typed(field.fields, form, f"{under}{name}.{number}.") for number in range(field.most))
            values[name] = [item for item in items if any(any(texts.values()) for texts in item.values())]
        elif field.type in blocks.TEXTS:
            values[name] = {
                language: text for language in LANGUAGES if (text := form.get(f"{under}{name}.{language}", "").strip())
            }
        else:
            written = form.get(f"{under}{name}.address", "")  # of a picture that is not among those to choose from
            values[name] = written.strip() or form.get(f"{under}{name}", "").strip()
    return values


def messages(error: InvalidInput, under: str = "") -> dict[str, str]:
    """Return the faults by the name of their input, in the reader's language; one of a whole text at its first one."""
    words = {}
    for fault in error.faults:
        place = _INDEX.sub(r".\1", fault.field.removeprefix(under)).lstrip(".")
        words[place] = faults.sentence(fault.message)
        words.setdefault(f"{place}.{LANGUAGES[0]}", words[place])
    return words


def words_of(block: Mapping[str, Any]) -> str:
    """Return the first words of a block, for lists."""
    for name, field in KINDS[block["kind"]].items():
        value = block.get(name)
        if isinstance(value, Mapping) and value:
            words = definitions.in_language(value, languages.current())
            return (rich_text.plain(words) if field.type == blocks.RICH else words)[:80]
    return ""


def _input(name: str, field_name: str, field: Field, value: str, language: str = "") -> Input:
    label = str(_LABELS[field_name])
    is_of_entry = "." in name.removesuffix(f".{language}")
    if is_of_entry:
        label = gettext("%(number)s. %(field)s", number=int(name.split(".")[-3 if language else -2]) + 1, field=label)
    if language:
        label = gettext("%(field)s in %(language)s", field=label, language=_LANGUAGE_NAMES[language])
    return Input(
        name,
        label,
        field.type,
        field.chars,
        field.is_required and not is_of_entry,
        value,
        str(_HELP.get(field.type, "")),
        language,
    )
