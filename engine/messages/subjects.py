"""The subjects of e-mails as their recipients read them.

The subject of a single send is stored rendered and encrypted, because it may name the person. An e-mail of a campaign
has the source of its step's subject, which is rendered when it is read: storing each would slow campaigns down.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
from sqlalchemy import Row

import settings
from engine.messages import variables
from engine.templates import brand, compiling, sandbox
from models import fernet, vault


def seal(subject: str) -> str:
    """Return a rendered subject as it is stored: encrypted."""
    return vault.current().encrypt(subject)


def of_test(subject: str, language: str | None) -> str:
    """Return the subject of a test, marked in the language of its template."""
    is_spanish = language is None or language.lower().startswith("es")
    return f"{'[Prueba]' if is_spanish else '[Test]'} {subject}"


def read(row: Row[Any]) -> str | None:
    """Return the subject of an e-mail's row; None if no key decrypts it.

    The row has the e-mail's `subject` and `variables`, its contact's columns and its campaign's `campaign_variables`. A
    source that cannot be rendered with them is returned as it is.
    """
    if fernet.sealed_at(row.subject) is not None:
        return vault.current().decrypt_all([row.subject])[0]
    try:
        values = {**variables.of(row, row.campaign_variables or {}), **_of_brand(row.subject)}
        [subject] = sandbox.render([_compiled(row.subject)], values)
        return " ".join(subject.decode().split())
    except (*sandbox.FAILURES, vault.InvalidToken):
        return str(row.subject)


def _of_brand(source: str) -> Mapping[str, str]:
    """Return the variables of the brand if the source uses one, as that of a template in the database does."""
    return brand.of(settings.current()).variables() if "brand_" in source else {}


@lru_cache(maxsize=512)
def _compiled(source: str) -> jinja2.Template:
    return compiling.TEXT.from_string(source)
