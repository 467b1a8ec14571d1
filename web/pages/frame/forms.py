"""Base class of the forms, with Flask-WTF. Sessions protect them against forgery, so WTForms' own tokens are off."""

from collections.abc import Sequence
from typing import Any

from flask import request
from flask_babel import gettext
from flask_wtf import FlaskForm
from werkzeug.datastructures import ImmutableMultiDict


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of a page; its labels and errors are in the reader's language."""

    class Meta:
        """Settings of WTForms."""

        csrf = False

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Return the fields that were submitted. A JSON body has none: Flask-WTF would read it to any depth."""
            return ImmutableMultiDict() if request.is_json else FlaskForm.Meta.wrap_formdata(self, form, formdata)


def choices(*pairs: tuple[str, str]) -> Sequence[tuple[str, str]]:
    """Return choices of a select field, with the browser's own first."""
    return [("", gettext("As the browser")), *pairs]
