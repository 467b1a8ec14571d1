"""The forms of the pages of templates: sources with the values of their preview, and addresses of test sends."""

import json
import re
import uuid
from typing import Any

from wtforms import HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from engine.previews import extremes
from engine.previews.extremes import Extreme
from engine.templates.versions.content import Content
from errors import InvalidInput
from web.pages.frame import forms
from web.pages.frame.languages import gettext, lazy_gettext

EXTREMES = {
    "longest": lazy_gettext("The longest values a contact can have"),
    "emptiest": lazy_gettext("A contact of which nothing is known"),
    "oddest": lazy_gettext("Odd values: markup, emoji, other scripts"),
}
_NOTE_CHARS = 200
SAMPLE, CONTACT = "", "contact"


class SourceForm(forms.Form):
    """The sources, the digest of the version that they change, and the values of the preview."""

    expected = HiddenField(validators=[Length(max=100)])
    subject = StringField(lazy_gettext("Subject"), render_kw={"autocomplete": "off"})
    preheader = StringField(lazy_gettext("Preheader"), render_kw={"autocomplete": "off"})
    kind = RadioField(
        lazy_gettext("Markup of the body"),
        choices=lambda: forms.options((("html", "HTML"), ("mjml", "MJML"))),
        default="html",
    )
    body = TextAreaField(lazy_gettext("Body"))
    text = TextAreaField(lazy_gettext("Text part"))
    sample = TextAreaField(lazy_gettext("Sample values"))
    note = StringField(
        lazy_gettext("Note on this version"),
        [Length(max=_NOTE_CHARS)],
        render_kw={"autocomplete": "off", "maxlength": _NOTE_CHARS},
    )
    values = SelectField(lazy_gettext("Values"), validate_choice=False, default=SAMPLE)
    find = StringField(lazy_gettext("Name, company or address of the contact"))

    def offer(self, *, contacts: bool, campaigns: list[tuple[str, str]]) -> None:
        """Offer the values that this reader may see: those of a contact only with its scope."""
        chosen = [(CONTACT, gettext("Those of a contact"))] if contacts else []
        named = [(key, gettext("Variables of the campaign %(name)s", name=name)) for key, name in campaigns]
        self.values.choices = forms.options(
            [(SAMPLE, gettext("The sample values")), *EXTREMES.items(), *chosen, *named]
        )
        if not contacts:
            del self.find


def of_content(content: Content, digest: str) -> SourceForm:
    """Return the form of stored sources."""
    return SourceForm(
        formdata=None,
        expected=digest,
        subject=content.subject,
        preheader=content.preheader or "",
        kind="html" if content.mjml is None else "mjml",
        body=(content.html if content.mjml is None else content.mjml) or "",
        text=content.text or "",
        sample=json.dumps(content.sample, ensure_ascii=False, indent=2),
    )


def content_of(form: SourceForm) -> Content:
    """Return the content of the form; raise InvalidInput if its sample is no JSON object."""
    body = _lines(form.body.data)
    return Content(
        subject=(form.subject.data or "").strip(),
        preheader=(form.preheader.data or "").strip(),
        html=body if form.kind.data != "mjml" else None,
        mjml=body if form.kind.data == "mjml" else None,
        text=_lines(form.text.data) or None,
        sample=_sample(_lines(form.sample.data)),
    )


def _lines(text: str | None) -> str:
    """Return the text with the line ends that files have; browsers send CRLF."""
    return (text or "").replace("\r\n", "\n")


def _sample(written: str) -> dict[str, Any]:
    try:
        sample = json.loads(written or "{}")
    except json.JSONDecodeError as error:
        raise InvalidInput.of("sample", f"line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise InvalidInput.of("sample", "is nested too deeply") from None
    if not isinstance(sample, dict):
        raise InvalidInput.of("sample", 'must be an object, such as {"nombre": "Ana"}')
    return sample


def extreme(chosen: str | None) -> Extreme | None:
    """Return the extreme values of this name; None for every other choice."""
    return next((name for name in extremes.NAMES if name == chosen), None)


class AddressForm(forms.Form):
    """The addresses that get a test; `key` makes a form that is sent twice send once."""

    to = StringField(
        lazy_gettext("Addresses"),
        [DataRequired(lazy_gettext("Give at least one address.")), Length(max=2_000)],
        render_kw={"autocomplete": "off", "inputmode": "email"},
    )
    key = HiddenField(validators=[DataRequired(), Length(max=100)])

    def addresses(self) -> list[str]:
        """Return the addresses, which commas, semicolons or spaces separate."""
        return [part for part in re.split(r"[\s,;]+", self.to.data) if part]


def empty_form() -> AddressForm:
    """Return the form without an address, with a key of its own."""
    return AddressForm(formdata=None, key=uuid.uuid4().hex)
