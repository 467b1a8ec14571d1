"""Extreme values for a preview: the longest, the emptiest and the oddest that a contact can have.

They are made from the limits of the columns, so they bound every contact. No contact is read, so nobody's data is
shown, and the number of contacts does not matter.
"""

from collections.abc import Mapping
from typing import Literal, get_args

from engine.templates import links
from engine.templates.templates import Template
from models import Contact

Extreme = Literal["longest", "emptiest", "oddest"]
NAMES: tuple[Extreme, ...] = get_args(Extreme)

_COLUMNS = {
    "nombre": Contact.first_name,
    "apellido": Contact.last_name,
    "empresa": Contact.company,
    "cargo": Contact.role,
    "industria": Contact.industry,
}
# A text is repeated up to the limit of its column: words for most, one word without a break for the company.
_LONG = {
    "nombre": "María de los Ángeles Guadalupe Montserrat ",
    "apellido": "Fernández-Villaverde y Martínez-Bordiú de la ",
    "empresa": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau",
    "cargo": "Responsable adjunta de relaciones ",
    "industria": "Infraestructuras y telecomunicaciones ",
}
_ODD = {
    "nombre": "<b>Ana</b> & \"Zoë\" 'Ñ' 👩\u200d👩\u200d👧",
    "apellido": "O\u2019Brien مرحبا \u202eabc\u202c",
    "empresa": '"><script>alert(1)</script>',
    "cargo": "{{ nombre }} {% if x %} 100 % \\ ",
    "industria": "i\u0307\u0327\u0301 ﷽ 𝓜𝓸𝓭𝓪 ẞ",
}
_TEXT_CHARS = 100  # of other variables


def of(template: Template, extreme: Extreme) -> Mapping[str, object]:
    """Return these values of the columns of a contact, and of the template's other variables.

    Targets of links, and values that are no text, are those of the sample.
    """
    others = {name: value for name, value in template.sample.items() if name not in _COLUMNS}
    if extreme == "emptiest":
        needed = {name: value for name, value in others.items() if name in template.required}
        return {**needed, **dict.fromkeys(_COLUMNS, "")}
    if extreme == "oddest":
        return {**others, **_ODD}
    return {**{name: _longer(value) for name, value in others.items()}, **_longest()}


def _longest() -> dict[str, str]:
    limits = {name: column.type.length for name, column in _COLUMNS.items()}
    return {name: _filled(_LONG[name], limits[name]).strip() for name in _COLUMNS}


def _longer(value: object) -> object:
    if not isinstance(value, str) or not value or not links.fault_of(value):
        return value
    return _filled(f"{value} ", _TEXT_CHARS).strip() if len(value) < _TEXT_CHARS else value


def _filled(words: str, chars: int) -> str:
    return (words * (chars // len(words) + 1))[:chars]
