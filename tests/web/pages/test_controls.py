"""Fields are drawn exactly as WTForms draws them."""

from typing import Any

import pytest
from flask import Flask
from markupsafe import Markup
from wtforms import (
    BooleanField,
    DateField,
    FileField,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, NumberRange

from web.pages.frame import controls, forms

CHOICES = forms.options([("", "None"), ("a<", Markup("<b>bold</b>")), ("é\"'", "quo\"te & 'more'")])
FLAGS = forms.options([(True, "yes"), (False, "no")])


class _Form(forms.Form):
    text = StringField(validators=[DataRequired(), Length(2, 9)], render_kw={"list": 'a"b', "autocomplete": "off"})
    number = IntegerField(validators=[NumberRange(0, 100)], default=7)
    day = DateField()
    secret = PasswordField(default="hidden")
    hidden = HiddenField(default="<v>")
    ticked = BooleanField(default=True)
    unticked = BooleanField()
    file = FileField()
    area = TextAreaField(default="a\n<b>", render_kw={"rows": 1})
    one = SelectField(choices=CHOICES, default="a<", validators=[DataRequired()])
    flag = SelectField(choices=FLAGS, coerce=lambda value: str(value) == "True", default=True)
    many = SelectMultipleField(choices=CHOICES, default=["", "é\"'"])
    grouped = SelectField(choices=[SelectChoice(each.value, each.label, optgroup="G<") for each in CHOICES])


@pytest.mark.parametrize("extra", [{}, {"class": "form-control", "aria-describedby": "x", "disabled": True}])
def test_a_field_is_drawn_as_wtforms_draws_it(app: Flask, extra: dict[str, Any]) -> None:
    with app.test_request_context(method="POST", data={"text": "<script>\"'&", "day": "2026-01-02", "one": "a<"}):
        for form in (_Form(), _Form(formdata=None)):
            for field in form:
                attributes = {**(field.render_kw or {}), **extra}
                assert controls.drawn(field, attributes) == field.widget(field, **attributes), field.name


def test_a_form_draws_its_fields_so(app: Flask) -> None:
    with app.test_request_context():
        form = _Form(formdata=None)
        assert (
            'rows="1"' in form.area()
            and 'class="x" ' in form.one(class_="x")
            and " aria-label=" in form.text(aria_label=1)
        )
