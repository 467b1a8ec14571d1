"""The form of a draft: its fields, its reading as a draft, and the engine's faults at their fields."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import time
from typing import Any

from flask import request
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TimeField,
)
from wtforms.validators import NumberRange, Optional

from engine.audience.segments import ONLY_SIGN_UPS
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.steps import MAX_STEPS, StepDraft
from engine.campaigns.windows import MINUTES_A_DAY
from errors import Fault, InvalidInput
from web.pages.contacts.words import STATUSES
from web.pages.frame import faults, forms, languages
from web.pages.frame.languages import gettext, lazy_gettext

WORDS = ("industry", "role", "company", "locale")
_UNITS_S = (86_400, 3_600, 60, 1)
_LISTED_MAX, _SHOWN_EMPTY = 50, 2
_NEXT = {"delay": 3}  # days, of a step that is added
_VARIABLE = re.compile(r"variable-([A-Za-z_]\w{0,49})")
_OF_STEP = {"template": "template", "delay_s": "delay", "weekdays": "weekdays"}  # fields, by the engine's names
_STEP_FIELD = re.compile(r"steps\[(\d+)\]\.(\w+)")


class StepForm(forms.Form):
    """One step; without a template there is none."""

    template = SelectField(lazy_gettext("Template"), validate_choice=False)
    delay = IntegerField(lazy_gettext("Wait"), [Optional()], default=0, render_kw={"min": 0})
    unit = SelectField(
        lazy_gettext("Unit"),
        coerce=int,
        default=_UNITS_S[0],
        choices=lambda: forms.options(
            zip(_UNITS_S, (gettext("days"), gettext("hours"), gettext("minutes"), gettext("seconds")), strict=True)
        ),
    )
    opens = TimeField(lazy_gettext("From"), [Optional()], default=time(9))
    closes = TimeField(lazy_gettext("Until"), [Optional()], default=time(18))
    weekdays = SelectMultipleField(
        lazy_gettext("Days"),
        coerce=int,
        choices=lambda: forms.options(enumerate(languages.day_names(), start=1)),
        default=(1, 2, 3, 4, 5),
    )


class AttributeForm(forms.Form):
    """A condition on an attribute."""

    name = StringField(lazy_gettext("Attribute"), render_kw={"list": "words-attributes", "autocomplete": "off"})
    value = StringField(lazy_gettext("Value"), render_kw={"list": "words-values", "autocomplete": "off"})


def _listed(label: Any) -> FieldList:
    return FieldList(StringField(label), label, min_entries=_SHOWN_EMPTY, max_entries=_LISTED_MAX)


class DraftForm(forms.Form):
    """The content of a draft; its variables depend on the templates and are read by `read`."""

    version = HiddenField()
    name = StringField(lazy_gettext("Name"), render_kw={"maxlength": 100, "autocomplete": "off"})
    timezone = StringField(lazy_gettext("Time zone"), render_kw={"list": "zones", "autocomplete": "off"})
    step_1 = FormField(StepForm)
    step_2 = FormField(StepForm)
    step_3 = FormField(StepForm)
    only_sign_ups = BooleanField(lazy_gettext("Only people who sign up by a form; no other contact gets an e-mail"))
    industry = _listed(lazy_gettext("Industry"))
    role = _listed(lazy_gettext("Role"))
    company = _listed(lazy_gettext("Company"))
    locale = _listed(lazy_gettext("Language of the contact"))
    followup_status = SelectMultipleField(lazy_gettext("Status"), choices=forms.options(STATUSES.items()))
    min_score = IntegerField(lazy_gettext("Score from"), [Optional(), NumberRange(0, 100)])
    max_score = IntegerField(lazy_gettext("Score up to"), [Optional(), NumberRange(0, 100)])
    attributes = FieldList(FormField(AttributeForm), min_entries=1, max_entries=_LISTED_MAX)

    @property
    def steps(self) -> list[Any]:
        """The forms of the steps, in order."""
        return [self.step_1.form, self.step_2.form, self.step_3.form]

    def add_rows(self) -> None:
        """End each list with an empty field, for one more condition."""
        for words in (self.industry, self.role, self.company, self.locale):
            if words.entries[-1].data and len(words) < _LISTED_MAX:
                words.append_entry()
        if self.attributes.entries[-1].form.name.data and len(self.attributes) < _LISTED_MAX:
            self.attributes.append_entry()


def of(draft: CampaignDraft, version: int) -> DraftForm:
    """Return the form of a stored draft."""
    audience = draft.audience
    steps = [*map(_step_data, draft.steps), *[_NEXT] * MAX_STEPS][:MAX_STEPS]
    form = DraftForm(
        formdata=None,
        version=str(version),
        name=draft.name,
        timezone=draft.timezone,
        **{f"step_{number}": step for number, step in enumerate(steps, start=1)},
        only_sign_ups=audience.get(ONLY_SIGN_UPS),
        **{key: [*audience.get(key, ()), ""] for key in WORDS},
        followup_status=audience.get("followup_status"),
        min_score=audience.get("min_score"),
        max_score=audience.get("max_score"),
        attributes=[{"name": key, "value": value} for key, value in audience.get("attributes", {}).items()],
    )
    form.add_rows()
    return form


def empty(zone: str) -> DraftForm:
    """Return the form of a new draft."""
    return DraftForm(formdata=None, timezone=zone, step_2=_NEXT, step_3=_NEXT)


def _step_data(step: StepDraft) -> dict[str, Any]:
    unit = next(unit for unit in _UNITS_S if step.delay_s % unit == 0)
    opens, closes = (
        time(*divmod(minute % MINUTES_A_DAY, 60)) for minute in (step.window_start_min, step.window_end_min)
    )
    return {
        "template": step.template,
        "delay": step.delay_s // unit,
        "unit": unit,
        "opens": opens,
        "closes": closes,
        "weekdays": list(step.weekdays),
    }


def read(form: DraftForm, stored: Mapping[str, Any]) -> CampaignDraft:
    """Return the draft as the form has it; `stored` variables stay unless the form has a field for them."""
    fields = variables()
    kept = {name: value for name, value in stored.items() if name not in fields}
    return CampaignDraft(
        name=(form.name.data or "").strip(),
        steps=[_step(step) for step in form.steps if step.template.data],
        timezone=(form.timezone.data or "").strip(),
        audience=dict(_audience(form)),
        variables=kept | {name: value for name, value in fields.items() if value},
    )


def variables() -> dict[str, str]:
    """Return the variables that were submitted; empty ones stand for none."""
    fields = ((_VARIABLE.fullmatch(name), value) for name, value in request.form.items())
    return {match[1]: value.strip() for match, value in fields if match}


def _step(step: Any) -> StepDraft:
    opens, closes = step.opens.data or time(), step.closes.data or time()
    return StepDraft(
        step.template.data,
        (step.delay.data or 0) * (step.unit.data or 1),
        opens.hour * 60 + opens.minute,
        closes.hour * 60 + closes.minute or MINUTES_A_DAY,
        tuple(sorted(step.weekdays.data or ())),
    )


def _audience(form: DraftForm) -> Iterator[tuple[str, Any]]:
    if form.only_sign_ups.data:
        yield ONLY_SIGN_UPS, True
        return
    for key in WORDS:
        words = dict.fromkeys(word.strip() for word in form[key].data if word and word.strip())
        if words:
            yield key, list(words)
    if form.followup_status.data:
        yield "followup_status", list(form.followup_status.data)
    for key in ("min_score", "max_score"):
        if form[key].data is not None:
            yield key, form[key].data
    attributes = {
        row["name"].strip(): row["value"].strip() for row in form.attributes.data if (row["name"] or "").strip()
    }
    if attributes:
        yield "attributes", attributes


def place(form: DraftForm, wrong: Iterable[Fault]) -> tuple[dict[str, str], list[str]]:
    """Put the engine's faults at their fields, in the reader's language.

    Return the faults of variables by name, and the texts of those without a field.
    """
    of_variables: dict[str, str] = {}
    others: list[str] = []
    chosen = [step for step in form.steps if step.template.data] or [form.steps[0]]
    for fault in wrong:
        text = faults.sentence(fault.message)
        if step := _STEP_FIELD.fullmatch(fault.field):
            _add(chosen[int(step[1])][_OF_STEP.get(step[2], "closes")], text)
        elif fault.field == "steps":
            _add(form.steps[0].template, text)
        elif fault.field.startswith("variables."):
            of_variables[fault.field.removeprefix("variables.")] = text
        elif fault.field in ("name", "timezone"):
            _add(form[fault.field], text)
        else:
            others.append(faults.sentences(InvalidInput([fault])))
    return of_variables, others


def add_error(form: DraftForm, field: str, message: str) -> None:
    """Add an error to the field of this name."""
    _add(form[field], message)


def _add(field: Any, message: str) -> None:
    errors: Sequence[str] = tuple(field.errors)
    field.errors = (*errors, message)
