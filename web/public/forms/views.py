"""Views of forms, counted as those of landing pages are."""

from flask import current_app

from engine.forms import counts
from engine.forms.forms import StoredForm
from web.ingest.view_counter import ViewCounter
from web.public.forms import requests

_NAME = "cadencia-form-views"


def count(form: StoredForm) -> None:
    """Count that this request shows the form; views by machines are counted apart."""
    of_process().count(form.id, "", requests.observed())


def of_process() -> ViewCounter:
    """Return the counter of this process."""
    counter: ViewCounter = current_app.extensions.setdefault(_NAME, ViewCounter(counts.add_views))
    return counter
