"""Rendering of the page of a form, also for the preview in a frame of our pages."""

from flask import Response

from engine.forms import definitions
from engine.forms.forms import StoredForm
from web.http.headers import PAGE
from web.public import pages
from web.public.forms import markup


def page(form: StoredForm, language: str, typed: dict[str, str], codes: dict[str, str], stamp: str) -> Response:
    """Return the page with the values that were typed, and the codes of their faults by field."""
    definition = form.definition
    response = pages.page(
        "form",
        language,
        422 if codes else 200,
        title=markup.title(form, language),
        fields=markup.fields(form, language),
        consent=definitions.in_language(definition.consent, language),
        typed=typed,
        utm=markup.utm_inputs({name: typed[name] for name in definitions.UTM if typed.get(name)}),
        codes=codes,
        stamp=stamp,
    )
    if definition.redirect:  # browsers apply form-action to the redirect as well
        policy = response.headers["Content-Security-Policy"]
        target = definitions.origin_of(definition.redirect)
        response.headers["Content-Security-Policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {target}"
        )
    return response


def preview(form: StoredForm, language: str) -> Response:
    """Return the page for a frame of our own pages: nothing can be sent from it."""
    response = page(form, language, {}, {}, "")
    policy = PAGE.replace("form-action 'self'", "form-action 'none'")
    response.headers["Content-Security-Policy"] = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    return response
