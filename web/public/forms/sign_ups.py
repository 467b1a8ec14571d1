"""Group commit of sign-ups: concurrent ones share a few statements, and no thread waits for them.

A submission is counted by the rate limits, stored, and only then answered, by the response that its view has returned
meanwhile, or by that of the error. Without deferred responses each is stored alone, in the thread of its request.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, current_app, request

from engine import bell, clock
from engine.forms import confirming, submissions
from engine.forms.confirming import Visit
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from engine.forms.submissions import Entry, SignUp
from errors import Unavailable
from models.session import Session, retrying
from web.http import errors, rate_limits
from web.http.rate_limits import Counters
from web.ingest import deferred_response
from web.ingest.gathering import Gathering
from web.public.forms import form_cache

log = logging.getLogger(__name__)

# The pause that lets more sign-ups join when the last group had more than one, and how often it is repeated while more
# of them come: a group costs 3 to 4 ms of CPU besides 0.4 ms for each sign-up (measured).
GATHER_S, PAUSES = 0.005, 8
THREADS = 2  # one gathers a group while the other waits for its commit
GROUP_MAX = 200  # in one transaction
_NAME = "cadencia-sign-ups"


@dataclass(slots=True, eq=False)
class Call:
    """A sign-up that waits for its commit, from a network that the rate limits know."""

    sign_up: SignUp
    network: str
    error: Exception | None = None


class SignUps:
    """Storing of the sign-ups of one process; shared by its threads."""

    def __init__(self, counters: Counters, services: FormServices) -> None:
        self.services = services
        self.gathering = Gathering(self.store, gather_s=GATHER_S, pauses=PAUSES, threads=THREADS)
        self._counters = counters

    def store(self, calls: Sequence[Call]) -> None:
        """Count and store sign-ups; `error` of each says why it was refused. Never raises."""
        try:
            refused = rate_limits.forms(
                self._counters, [(each.network, each.sign_up.form.definition.slug) for each in calls]
            )
            for call, error in zip(calls, refused, strict=True):
                call.error = error
            admitted = [call for call in calls if call.error is None]
            for start in range(0, len(admitted), GROUP_MAX):
                self._store(admitted[start : start + GROUP_MAX])
        except Exception as error:
            log.error("sign_ups_failed error=%s", type(error).__name__, exc_info=error)
            for call in calls:
                call.error = call.error or error

    def _store(self, calls: Sequence[Call]) -> None:
        """Store a group in one transaction; if a faulty one undoes it, each in a transaction of its own."""
        now = clock.now()
        sign_ups = [call.sign_up for call in calls]
        try:
            retrying(lambda session: submissions.store_all(session, sign_ups, services=self.services, now=now))
        except Exception as error:  # noqa: BLE001  # is the answer to a call, or each is stored alone
            if len(calls) == 1 or type(error) is Unavailable:  # a subclass concerns one of them
                for call in calls:
                    call.error = error
                return
            log.warning("sign_up_group_failed sign_ups=%d error=%s", len(calls), type(error).__name__)
            for call in calls:
                self._store([call])
        else:
            bell.ring("transactional")


def store(form: StoredForm, entry: Entry) -> None:
    """Count and store the submission of this request. Raises TooOften, Unavailable.

    With double opt-in, and under a server with deferred responses, this returns before: the response of the view is
    then sent after the commit, or that of the error instead of it.
    """
    services, now = form_cache.current().services, clock.now()
    if not form.definition.double_opt_in:
        return _confirmed(form, entry, services)
    sign_ups: SignUps = current_app.extensions[_NAME]
    call = Call(
        submissions.prepare(form, entry, services=services, now=now), rate_limits.network(request.remote_addr or "")
    )
    response = request.environ.get(deferred_response.KEY)
    if response is None:
        sign_ups.store([call])
        if call.error is not None:
            raise call.error
        return None
    response.defer()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    sign_ups.gathering.add(call, partial(_answer, app, request.environ, response, call))
    return None


def _confirmed(form: StoredForm, entry: Entry, services: FormServices) -> None:
    """Store a submission that needs no confirmation."""
    now = clock.now()
    rate_limits.form()
    rate_limits.one_form(form.definition.slug)

    def work(session: Session) -> None:
        submission_id = submissions.store(session, form, entry, services=services, now=now)
        confirming.confirm(session, submission_id, Visit("form", entry.network), services=services, now=now)

    retrying(work)
    bell.ring("transactional")
    bell.ring("sequence")


def _answer(app: Flask, environ: dict[str, Any], response: deferred_response.DeferredResponse, call: Call) -> None:
    """Send the response of the view, or that of the error. Never raises."""
    if call.error is None:
        return response.send()
    try:
        response.replace(*errors.response_to(app, environ, call.error))
    except Exception as error:
        log.error("sign_up_answer_failed error=%s", type(error).__name__, exc_info=error)
        response.replace(500, [], b"")
    return None


def install(app: Flask) -> None:
    """Attach the storing of sign-ups to `app`."""
    app.extensions[_NAME] = SignUps(rate_limits.of(app), form_cache.of(app).services)
