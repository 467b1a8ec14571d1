"""Cache of forms in a web process; each is read again after a second, so that a change shows by then."""

import threading
from time import monotonic

from flask import Flask, current_app

import errors
from engine.forms import forms
from engine.forms.forms import StoredForm
from engine.forms.services import FormServices
from models.session import statement
from web import process

KEPT_S = 1.0
FORMS_MAX = 100
_NAME = "cadencia-forms"


class FormCache:
    """The forms of one process and the services that their e-mails need; shared by its threads."""

    def __init__(self, services: FormServices) -> None:
        self.services = services
        self._guard = threading.Lock()
        self._forms: dict[str, tuple[StoredForm, float]] = {}

    def active(self, slug: str) -> StoredForm:
        """Return a form that takes submissions, as it was at most a second ago; raise NotFound for any other."""
        form = self._cached(slug) or self._read(slug)
        if not form.is_active:
            raise errors.NotFound("form: it takes no submissions any more")
        return form

    def _cached(self, slug: str) -> StoredForm | None:
        """Return a cached form, or None if the caller has to read it; of concurrent callers only one has to."""
        with self._guard:
            form, read_at = self._forms.get(slug, (None, 0.0))
            if form is None or monotonic() - read_at <= KEPT_S:
                return form
            self._forms[slug] = form, monotonic()
            return None

    def _read(self, slug: str) -> StoredForm:
        read_at = monotonic()
        with statement() as session:
            form = forms.by_slug(session, slug)
        with self._guard:
            if len(self._forms) >= FORMS_MAX:
                self._forms.clear()
            self._forms[slug] = form, read_at
        return form


def install(app: Flask) -> None:
    """Attach the forms to `app`."""
    state = process.of(app)
    app.extensions[_NAME] = FormCache(FormServices.configured(state.settings, state.library))


def of(app: Flask) -> FormCache:
    """Return the forms of `app`."""
    cache: FormCache = app.extensions[_NAME]
    return cache


def current() -> FormCache:
    """Return the forms of the application that handles this request."""
    return of(current_app)
