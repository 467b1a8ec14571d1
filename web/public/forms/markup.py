"""Values of a form for its template: title, fields, hidden inputs."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from engine.forms import definitions
from engine.forms.forms import StoredForm

_AUTOCOMPLETE = {
    "first_name": "given-name", "last_name": "family-name", "company": "organization", "role": "organization-title",
}  # fmt: skip  # what browsers fill in (WCAG 2.2, 1.3.5)


def title(form: StoredForm, language: str) -> str:
    """Return the title of the form."""
    return definitions.in_language(form.definition.title, language)


def fields(form: StoredForm, language: str) -> list[dict[str, Any]]:
    """Return the fields of the form for its template and for programs."""
    return [
        {
            "name": field.name,
            "label": definitions.in_language(field.label, language),
            "required": field.required,
            "options": list(field.options),
            "max": field.chars_max,
            "autocomplete": _AUTOCOMPLETE.get(field.name, "on"),
        }
        for field in form.definition.fields
    ]


def utm_inputs(utm: Mapping[str, str]) -> Markup:
    """Return hidden fields that repeat the UTM parameters of the page's address."""
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return Markup("").join(field.format(name, value) for name, value in utm.items())
