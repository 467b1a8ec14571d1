"""Base class of the forms, with Flask-WTF. Sessions protect them against forgery, so WTForms' own tokens are off."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import ImmutableMultiDict
from wtforms import Field, FieldList, FormField, i18n
from wtforms.fields import SelectChoice
from wtforms.widgets.core import clean_key

from errors import CadenciaError, InvalidInput
from web.pages.frame import controls, faults, languages
from web.pages.frame.languages import gettext


@cache
def _translations(language: str) -> Any:
    return i18n.get_translations([language])


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of a page; its labels and errors are in the reader's language."""

    class Meta:
        """Settings of WTForms."""

        csrf = False

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Return the fields that were submitted. A JSON body has none: Flask-WTF would read it to any depth."""
            return ImmutableMultiDict() if request.is_json else FlaskForm.Meta.wrap_formdata(self, form, formdata)

        def get_translations(self, form: FlaskForm) -> Any:  # noqa: ARG002  # as WTForms calls it
            """Return the translations of WTForms' own texts. Flask-WTF reads their file at each request."""
            return _translations(languages.current())

        def render_field(self, field: Field, render_kw: dict[str, Any]) -> Markup:
            """Return the HTML of a field."""
            own = {clean_key(name): value for name, value in (field.render_kw or {}).items()}
            return controls.drawn(field, own | {clean_key(name): value for name, value in render_kw.items()})


def options(pairs: Iterable[tuple[Any, Any]]) -> list[SelectChoice]:
    """Return the options of a select field, from their values and labels."""
    return [SelectChoice(value, label) for value, label in pairs]


def choices(*pairs: tuple[str, str]) -> list[SelectChoice]:
    """Return options of a select field, with the browser's own first."""
    return options([("", gettext("As the browser")), *pairs])


def show_faults(form: Form, error: CadenciaError, **fields: str) -> None:
    """Show each fault of an input at its field, in the reader's language; one without a field at the form itself.

    A fault's field is that of the same name: of `steps[0].template` the field `template` of the first form in the list
    `steps`. `fields` has other names, with `_` for punctuation: `audience_industry="industries"`.
    """
    is_of_fields = isinstance(error, InvalidInput)
    for path, message in faults.listed(error):
        field, rest = _place(form, re.findall(r"[^.\[\]]+", path), fields)
        text = faults.sentence(f"{_named(rest[-1])}: {faults.words(message)}" if rest and is_of_fields else message)
        if field is None:
            form.form_errors.append(text)
        elif isinstance(field, FormField):
            field.form.form_errors.append(text)
        else:
            field.errors = [*field.errors, text]


def _named(part: str) -> str:
    """Return the last part of a path as a fault names it; an index is the line of a field with one value a line."""
    return str(gettext("line %(number)s", number=int(part) + 1)) if part.isdecimal() else part


def _place(form: Form, path: Sequence[str], fields: Mapping[str, str]) -> tuple[Field | None, Sequence[str]]:
    """Return the field of the longest beginning of the path, and the rest of the path."""
    for length in range(len(path), 0, -1):
        name = "_".join(path[:length])
        if fields.get(name, name) in form:
            return _within(form[fields.get(name, name)], path[length:], fields)
    return None, path


def _within(field: Field, rest: Sequence[str], fields: Mapping[str, str]) -> tuple[Field, Sequence[str]]:
    if rest and isinstance(field, FieldList) and rest[0].isdigit() and int(rest[0]) < len(field.entries):
        return _within(field.entries[int(rest[0])], rest[1:], fields)
    if rest and isinstance(field, FormField):
        inner, left = _place(field.form, rest, fields)
        return (field, rest) if inner is None else (inner, left)
    return field, rest
