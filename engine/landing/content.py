"""The content of a landing page: title, looks and blocks. Reading it is strict and cleans rich text."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import errors
from engine import edits
from engine.forms import definitions
from engine.forms.definitions import LANGUAGES, Texts
from engine.landing import blocks, rich_text
from engine.landing.blocks import KIND, KINDS, Field
from engine.templates import brand
from errors import Fault, InvalidInput

DESIGNS = ("calm", "bold")
CONVERSIONS = ("submit", "load", "never")
BLOCKS_MAX, BYTES_MAX, FAULTS_MAX = 40, 100_000, 50
INK = "#52606d"  # the palest text
CONTRAST_MIN = 4.5
_LINK_CHARS = 2_000

_COLOR = re.compile(r"#[0-9a-f]{6}")
PICTURE = re.compile(r"/a/[0-9a-f]{16,64}\.(?:png|jpg|jpeg|gif|webp)")
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*|#[\w-]*")  # of a page of ours, or a place in this page
_DIRECT = re.compile(r"(?:mailto|tel):[\x21-\x7e]+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of surrogate pairs

FIELDS: Mapping[str, Field] = {
    "title": Field(blocks.LINE, 150, is_required=True),
    "description": Field(blocks.LINE, 300),
    "logo": Field(blocks.PICTURE),
}


@dataclass(frozen=True, slots=True)
class Content:
    """A landing page as its author describes it; it is shown in the languages of its title."""

    title: Texts
    description: Texts = field(default_factory=dict)
    design: str = DESIGNS[0]
    color: str = "#0b6b62"
    background: str = "#ffffff"
    logo: str = ""
    noindex: bool = False
    converted_on: str = CONVERSIONS[0]
    blocks: tuple[Mapping[str, Any], ...] = ()

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the page, the first one for everybody else."""
        return tuple(language for language in LANGUAGES if language in self.title)

    @property
    def form(self) -> str | None:
        """The slug of its form; None if it has none."""
        return next((str(block["form"]) for block in self.blocks if block[KIND] == "form"), None)

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures, the logo last."""
        pictures = [str(block["picture"]) for block in self.blocks if block.get("picture")]
        return [*pictures, self.logo] if self.logo else pictures

    def stored(self) -> dict[str, Any]:
        """Return the content as JSON."""
        return asdict(self) | {"blocks": list(self.blocks)}

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, in hexadecimal digits; equal contents have equal digests."""
        return edits.digest(self.stored()).hex()


def restored(stored: Mapping[str, Any]) -> Content:
    """Return stored content."""
    return Content(**{**stored, "blocks": tuple(stored["blocks"])})


def read(values: Mapping[str, Any]) -> Content:
    """Return the content that these values describe; raise InvalidInput with all faults, at most fifty."""
    faults: list[Fault] = []
    names = list(Content.__dataclass_fields__)
    faults += [Fault(_shown(name), _unknown(name, names, "is not a field")) for name in values if name not in names]
    own = _object({name: values.get(name) for name in FIELDS}, FIELDS, "", faults)
    design = _one_of(values, "design", DESIGNS, faults)
    converted_on = _one_of(values, "converted_on", CONVERSIONS, faults)
    color, background = _colors(values, faults)
    noindex = values.get("noindex", False)
    if not isinstance(noindex, bool):
        faults.append(Fault("noindex", "give true or false"))
    cleaned = _blocks(values.get("blocks", ()), faults)
    if faults:
        raise InvalidInput(faults[:FAULTS_MAX])
    content = Content(
        title=own["title"], description=own.get("description", {}), design=design, color=color,
        background=background, logo=own.get("logo", ""), noindex=noindex, converted_on=converted_on, blocks=cleaned,
    )  # fmt: skip
    size = len(json.dumps(content.stored(), ensure_ascii=False).encode())
    if size > BYTES_MAX:
        raise InvalidInput.of("blocks", f"the page has {size} bytes of JSON; at most {BYTES_MAX} are taken")
    return content


def _blocks(wanted: object, faults: list[Fault]) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(wanted, list | tuple):
        faults.append(Fault("blocks", "give a list of blocks"))
        return ()
    if len(wanted) > BLOCKS_MAX:
        faults.append(Fault("blocks", f"has {len(wanted)} blocks; at most {BLOCKS_MAX} are taken"))
        return ()
    made = tuple(_block(each, f"blocks[{index}]", faults) for index, each in enumerate(wanted))
    of_forms = [index for index, block in enumerate(made) if block.get(KIND) == "form"]
    faults += [Fault(f"blocks[{index}].{KIND}", "is a second form; a page has one") for index in of_forms[1:]]
    return made


def _block(wanted: object, at: str, faults: list[Fault]) -> dict[str, Any]:
    if not isinstance(wanted, Mapping):
        faults.append(Fault(at, 'give an object such as {"kind": "text", "text": {"es": "…"}}'))
        return {}
    kind = wanted.get(KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        faults.append(Fault(f"{at}.{KIND}", _unknown(kind, KINDS, "is not a kind of block")))
        return {}
    fields = {name: value for name, value in wanted.items() if name != KIND}
    faults += [
        Fault(f"{at}.{_shown(name)}", _unknown(name, KINDS[kind], f"is not a field of {kind}"))
        for name in fields
        if name not in KINDS[kind]
    ]
    return {KIND: kind, **_object(fields, KINDS[kind], f"{at}.", faults)}


def _object(values: Mapping[str, Any], fields: Mapping[str, Field], at: str, faults: list[Fault]) -> dict[str, Any]:
    """Return the fields that are filled in, in the order of their description."""
    made = {name: _value(values.get(name), each, f"{at}{name}", faults) for name, each in fields.items()}
    return {name: value for name, value in made.items() if value}


def _value(value: Any, field: Field, at: str, faults: list[Fault]) -> Any:
    if field.type in blocks.TEXTS:
        return _texts(value, field, at, faults)
    if field.type == blocks.ITEMS:
        return _items(value, field, at, faults)
    text = "" if value is None else value
    fault = _ADVICE[field.type] if not isinstance(text, str) or (text and not _is_valid(field.type, text)) else None
    if fault is None and field.is_required and not text:
        fault = "is needed"
    faults += [Fault(at, fault)] if fault else []
    return text


def _is_valid(kind: str, text: str) -> bool:
    if kind == blocks.PICTURE:
        return PICTURE.fullmatch(text) is not None
    if kind == blocks.FORM:
        return definitions.is_slug(text)
    is_direct = _PATH.fullmatch(text) or _DIRECT.fullmatch(text)
    return len(text) <= _LINK_CHARS and bool(is_direct or definitions.origin_of(text))


_ADVICE = {
    blocks.LINK: "give a web address such as https://www.tienda.example, a path such as /p/guia, or #form",
    blocks.PICTURE: "give the address of an uploaded picture, such as /a/0123456789abcdef.png",
    blocks.FORM: "give the slug of a form, such as guia-roi",
}


def _items(value: Any, field: Field, at: str, faults: list[Fault]) -> list[dict[str, Any]]:
    items = () if value is None else value
    if not isinstance(items, list | tuple) or not all(isinstance(each, Mapping) for each in items):
        faults.append(Fault(at, "give a list of objects"))
        return []
    if len(items) > field.most or (field.is_required and not items):
        faults.append(Fault(at, f"has {len(items)} entries; give 1 to {field.most}"))
        return []
    for index, each in enumerate(items):
        faults += [
            Fault(f"{at}[{index}].{_shown(name)}", _unknown(name, field.fields, "is not a field here"))
            for name in each
            if name not in field.fields
        ]
    return [_object(each, field.fields, f"{at}[{index}].", faults) for index, each in enumerate(items)]


def _texts(value: Any, field: Field, at: str, faults: list[Fault]) -> dict[str, str]:
    texts = {} if value is None else value
    if not isinstance(texts, Mapping):
        faults.append(Fault(at, 'give the text by language, such as {"es": "…", "en": "…"}'))
        return {}
    made = {}
    for language, text in texts.items():
        place = f"{at}.{_shown(language)}"
        fault = errors.unknown(str(language), LANGUAGES) if language not in LANGUAGES else _text_fault(text, field)
        if fault:
            faults.append(Fault(place, fault))
        elif text.strip():
            made[language] = rich_text.cleaned(_lines(text)) if field.type == blocks.RICH else _lines(text)
    if field.is_required and not made and not any(fault.field.startswith(at) for fault in faults):
        faults.append(Fault(at, "is needed"))
    return made


def _text_fault(text: object, field: Field) -> str | None:
    if not isinstance(text, str):
        return "give a text"
    if len(text) > field.chars:
        return f"has {len(text)} characters; at most {field.chars} are taken"
    lines = _lines(text)
    if _CONTROL.search(lines) or (field.type == blocks.LINE and "\n" in lines):
        return "remove the line breaks and invisible characters"
    return None


def _lines(text: str) -> str:
    """Return the text with line ends as pages write them, and without blanks around it."""
    return text.replace("\r\n", "\n").replace("\t", " ").strip()


def _colors(values: Mapping[str, Any], faults: list[Fault]) -> tuple[str, str]:
    """Return the colour of buttons and links, and the background; a fault names the nearest colour that can be read."""
    colors = []
    for name in ("color", "background"):
        color = values.get(name) or Content.__dataclass_fields__[name].default
        color = color.lower() if isinstance(color, str) else ""
        if not _COLOR.fullmatch(color):
            faults.append(Fault(name, "give a colour such as #0b6b62"))
            return "", ""
        colors.append(color)
    color, background = colors
    if (contrast := brand.contrast(INK, background)) < CONTRAST_MIN:
        lighter = brand.readable(background, on=INK, step=1)
        faults.append(Fault("background", _unreadable("text on it", contrast, lighter)))
    elif (contrast := brand.contrast(color, background)) < CONTRAST_MIN:
        darker = brand.readable(color, on=background, step=-1)
        faults.append(Fault("color", _unreadable(f"on the background {background} it", contrast, darker)))
    return color, background


def _unreadable(subject: str, contrast: float, nearest: str) -> str:
    return f"{subject} has a contrast of {int(contrast * 10) / 10}, and {CONTRAST_MIN} is needed; {nearest} has it"


def _one_of(values: Mapping[str, Any], name: str, names: Sequence[str], faults: list[Fault]) -> str:
    value = values.get(name) or names[0]
    if value not in names:
        faults.append(Fault(name, _unknown(value, names, "is not known")))
    return str(value)


def _unknown(value: object, names: Iterable[str], fault: str) -> str:
    return errors.unknown(value if isinstance(value, str) else type(value).__name__, names, fault=fault)


def _shown(name: object) -> str:
    text = str(name)
    return text[:50] if text.isprintable() and "@" not in text else "?"
