"""Views of forms: counted in the web process, as views of landing pages are."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import current_app

from engine.forms import counts
from engine.forms.forms import StoredForm
from engine.landing.visits import Key
from models.session import Session
from web.public.forms import requests
from web.public.landing_pages.visits import Visits

_NAME = "cadencia-form-views"


def count(form: StoredForm) -> None:
    """Count that this request shows the form, apart if it is a machine's."""
    of_process().count(form.id, "", requests.observed())


def of_process() -> Visits:
    """Return the views of this process that are not in the database yet."""
    views: Visits = current_app.extensions.setdefault(_NAME, Visits(_add))
    return views


def _add(session: Session, counted: Mapping[Key, tuple[int, int]]) -> None:
    by_day: dict[tuple[UUID, date], tuple[int, int]] = {}
    for key, (people, machines) in counted.items():
        before = by_day.get((key.page_id, key.hour.date()), (0, 0))
        by_day[key.page_id, key.hour.date()] = before[0] + people, before[1] + machines
    counts.add_views(session, by_day)
