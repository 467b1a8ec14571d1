"""The fields of the editor of a form, and their reading as the values of a definition."""

import re
from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, FieldList, FormField, HiddenField, SelectField, StringField, TextAreaField

from engine.forms import definitions
from engine.forms.definitions import FIELDS_MAX, LANGUAGES, Definition
from web.pages.frame import forms
from web.pages.frame.languages import gettext, lazy_gettext

# Names that the engine's faults use, and ours.
PLACES = {"fields": "rows", "title": "title_es", "consent": "consent_es", "thanks": "thanks_es", "label": "label_es"}
_TEXTS = ("title", "consent", "thanks")
_LIST = re.compile(r"[\s,;]+")


class Row(forms.Form):
    """One field that people fill in."""

    name = StringField(
        lazy_gettext("Name of the detail"), render_kw={"list": "details", "maxlength": 50, "autocomplete": "off"}
    )
    label_es = StringField(lazy_gettext("Label in Spanish"), render_kw={"maxlength": 200})
    label_en = StringField(lazy_gettext("Label in English"), render_kw={"maxlength": 200})
    options = TextAreaField(lazy_gettext("Choices, one on each line"), render_kw={"rows": 2})
    required = BooleanField(lazy_gettext("must be filled in"))


class Editor(forms.Form):
    """A sign-up form, without its address for a new one."""

    version = HiddenField()
    slug = StringField(lazy_gettext("Name in the address"), render_kw={"maxlength": 50, "autocomplete": "off"})
    title_es = StringField(lazy_gettext("Title in Spanish"), render_kw={"maxlength": 200})
    title_en = StringField(lazy_gettext("Title in English"), render_kw={"maxlength": 200})
    rows = FieldList(FormField(Row), max_entries=FIELDS_MAX)
    consent_es = TextAreaField(lazy_gettext("Consent in Spanish"), render_kw={"rows": 3})
    consent_en = TextAreaField(lazy_gettext("Consent in English"), render_kw={"rows": 3})
    thanks_es = TextAreaField(lazy_gettext("Thanks in Spanish"), render_kw={"rows": 2})
    thanks_en = TextAreaField(lazy_gettext("Thanks in English"), render_kw={"rows": 2})
    redirect = StringField(lazy_gettext("Page after the end"), render_kw={"type": "url", "autocomplete": "off"})
    double_opt_in = BooleanField(lazy_gettext("Ask by e-mail for a confirmation (double opt-in)"), default=True)
    campaign_id = SelectField(lazy_gettext("Campaign for those who confirm"), validate_choice=False)
    attributes = TextAreaField(lazy_gettext("Attributes of those who confirm"), render_kw={"rows": 2})
    origins = TextAreaField(lazy_gettext("Other sites that may show the form"), render_kw={"rows": 2})
    notify = TextAreaField(lazy_gettext("Who gets an e-mail about each confirmation"), render_kw={"rows": 2})


def of(definition: Definition, version: str) -> Editor:
    """Return the editor of a stored form."""
    values: dict[str, Any] = {name: getattr(definition, name) for name in ("slug", "redirect", "double_opt_in")}
    for name in _TEXTS:
        values |= {f"{name}_{language}": getattr(definition, name).get(language, "") for language in LANGUAGES}
    values["rows"] = [
        {
            "name": field.name,
            "label_es": field.label.get("es", ""),
            "label_en": field.label.get("en", ""),
            "required": field.required,
            "options": "\n".join(field.options),
        }
        for field in definition.fields
    ]
    values["attributes"] = "\n".join(f"{name}={value}" for name, value in definition.attributes.items())
    values |= {"origins": "\n".join(definition.origins), "notify": "\n".join(definition.notify)}
    values["campaign_id"] = str(definition.campaign_id or "")
    return Editor(formdata=None, version=version, **values)


def changed(form: Editor, action: str) -> Editor:
    """Return the editor after `add`, or after `up`, `down` or `remove` of the row with the number behind a dash."""
    rows = [dict(row) for row in form.rows.data]
    name, _, written = action.partition("-")
    at = int(written) if written.isdecimal() else -1
    if name == "add" and len(rows) < FIELDS_MAX:
        rows.append({})
    elif name == "remove" and 0 <= at < len(rows):
        del rows[at]
    elif name == "up" and 0 < at < len(rows):
        rows[at - 1], rows[at] = rows[at], rows[at - 1]
    elif name == "down" and 0 <= at < len(rows) - 1:
        rows[at + 1], rows[at] = rows[at], rows[at + 1]
    return Editor(formdata=None, **{**form.data, "rows": rows})


def read(form: Editor) -> dict[str, Any]:
    """Return the values of the definition as the editor has them."""
    values: dict[str, Any] = {name: _texts(form.data, name) for name in _TEXTS}
    values["fields"] = [
        {
            "name": (row["name"] or "").strip(),
            "label": _texts(row, "label"),
            "required": bool(row["required"]),
            "options": _lines(row["options"]),
        }
        for row in form.rows.data
    ]
    pairs = [line.partition("=") for line in _lines(form.attributes.data)]
    return values | {
        "slug": (form.slug.data or "").strip(),
        "redirect": (form.redirect.data or "").strip() or None,
        "double_opt_in": bool(form.double_opt_in.data),
        "attributes": {name.strip(): value.strip() for name, _, value in pairs},
        "campaign_id": form.campaign_id.data or None,
        "origins": [part.rstrip("/") for part in _LIST.split(form.origins.data or "") if part],
        "notify": [part for part in _LIST.split(form.notify.data or "") if part],
    }


def detail_names() -> dict[str, str]:
    """Return the details that every contact has, with their words."""
    words = {
        "first_name": gettext("First name"),
        "last_name": gettext("Last name"),
        "company": gettext("Company"),
        "role": gettext("Role"),
        "industry": gettext("Industry"),
    }
    return {name: words[name] for name in definitions.DETAILS}


def _texts(values: Mapping[str, Any], name: str) -> dict[str, str]:
    texts = {language: " ".join((values.get(f"{name}_{language}") or "").split()) for language in LANGUAGES}
    return {language: text for language, text in texts.items() if text}


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
