"""Paths of all pages below /app, with samples of their parameters from a database of `bench.pages.rows`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from sqlalchemy import text
from werkzeug.utils import import_string

from bench.pages import documents
from engine.campaigns.reports import people
from models.session import transaction

# The contact with 1,000 e-mails, one of many, the running campaign and the paused one.
_SAMPLES = {
    "contact_id": text("(SELECT id FROM contacts ORDER BY id LIMIT 1) UNION ALL "
                       "(SELECT id FROM contacts ORDER BY id DESC LIMIT 1)"),
    "campaign_id": text("SELECT id FROM campaigns WHERE state IN ('running', 'paused') ORDER BY state DESC"),
    "account_id": text("SELECT id FROM accounts ORDER BY name LIMIT 1"),
    "import_id": text("SELECT id FROM file_imports ORDER BY id LIMIT 1"),
    "digest": text("SELECT digest FROM assets ORDER BY created_at LIMIT 1"),
}  # fmt: skip
_FIXED: Mapping[str, Sequence[Any]] = {
    "name": ("email_1_roi", documents.TEMPLATE),
    "slug": (documents.SLUG,),
    "version": (documents.VERSIONS,),
    "index": (1,),
    "step": (1,),
    "fact": people.FACTS,
    "state": people.STATES,
}
_OTHERS = ("app_assets.asset", "missing_pages.missing")  # static files, and the response to every other address


def all_of_them() -> list[str]:
    """Return the paths of all GET routes below /app whose parameters have samples; the account's page is one."""
    with transaction() as session:
        samples: dict[str, Sequence[Any]] = {key: session.scalars(query).all() for key, query in _SAMPLES.items()}
    return list(_paths(samples | dict(_FIXED)))


def _paths(samples: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    create_app = import_string("web:create_app")  # by its name, as granian loads it
    for rule in create_app().url_map.iter_rules():
        names = sorted(rule.arguments)
        is_page = rule.rule.startswith("/app/") and "GET" in (rule.methods or ()) and rule.endpoint not in _OTHERS
        if is_page and all(name in samples for name in names):
            for values in product(*(samples[name] for name in names)):
                built = rule.build(dict(zip(names, values, strict=True)))
                if built is not None:
                    yield built[1]
