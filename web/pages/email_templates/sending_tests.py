"""Test sends: the form of a template's page, and the states of the tests that were just sent."""

from collections.abc import Callable, Mapping, Sequence
from time import sleep
from typing import Any

from flask import Response

import errors
from engine import bell, clock
from engine.previews import sends
from engine.templates.templates import Template
from models.session import Session, transaction
from web import pages
from web.http import auth, idempotency, rate_limits
from web.http.idempotency import Done
from web.pages.email_templates import shown
from web.pages.email_templates.fields import AddressForm
from web.pages.frame import faults, layout, sessions
from web.pages.frame.languages import gettext
from web.schemas.templates.listing import TestAccepted

views = layout.blueprint("template_tests")

_TRIES, _TRY_S = 20, 0.05  # while the first of two equal forms is stored


@views.post("/templates/<name>/test")
@pages.changes(*shown.TESTERS)
def test(name: str) -> Response:
    """Send tests to the addresses of the form, with the values that are shown."""
    form, template = AddressForm(), shown.template(name)
    if form.validate():
        with transaction() as session:
            variables = shown.chosen_values(session, template).variables
        try:
            email_ids = _queue(form, template, variables)
        except errors.CadenciaError as refusal:
            form.to.errors = _reasons(refusal)
        else:
            return layout.redirect_to(
                "template_pages.show", name=name, test=email_ids, **shown.asked(), _anchor="tests"
            )
    return layout.page("templates/show", 422, form=form, **shown.of(name))


@views.get("/templates/<name>/tests")
@pages.needs(*shown.READERS)
def states(name: str) -> Response:
    """Return the states of tests, which are fetched again while the page is open."""
    with sessions.reading() as session:
        return layout.fragment("templates/tests", tests=shown.tests(session, name))


def _queue(form: AddressForm, template: Template, variables: Mapping[str, Any]) -> Sequence[str]:
    """Queue the tests once, however often the form is sent, and return their ids."""
    to = form.addresses()
    key = idempotency.of_form(form.key.data, to)

    def queue(session: Session) -> TestAccepted:
        email_ids = sends.send(session, template, to, variables, now=clock.now())
        rate_limits.test(auth.caller().account_id, len(email_ids))
        return TestAccepted.of(email_ids)

    result = _repeated(lambda: idempotency.do(key, queue, status=202))
    bell.ring(sends.LANE)
    email_ids: Sequence[str] = result.response.get_json()["email_ids"]
    return email_ids


def _repeated(work: Callable[[], Done[TestAccepted]]) -> Done[TestAccepted]:
    """Return the result of `work`, and wait while the first of two equal forms is stored."""
    for _ in range(_TRIES):
        try:
            return work()
        except errors.InProgress:
            sleep(_TRY_S)
    return work()


def _reasons(refusal: errors.CadenciaError) -> list[str]:
    """Return the reasons why no test was sent, in the reader's language; raise an error that is not the form's."""
    if isinstance(refusal, errors.TooOften):
        return [gettext("This account may send no more tests today.")]
    if isinstance(refusal, sends.RefusedAddresses):
        return [_reason(code, index + 1) for index, code in refusal.codes.items()]
    if isinstance(refusal, errors.InvalidInput):
        return [faults.sentence(fault.message) for fault in refusal.faults]
    raise refusal


def _reason(code: str, number: int) -> str:
    words = {
        "invalid": gettext("Address %(number)s is not valid; give one such as name@company.example.", number=number),
        "bounced": gettext("Address %(number)s does not exist, as a mail server said.", number=number),
        "complained": gettext("The owner of address %(number)s complained about an e-mail.", number=number),
        "erased": gettext("The data of address %(number)s was erased.", number=number),
    }
    return str(words[code])
