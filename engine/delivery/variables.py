"""The variables of a mail: those it was sent with, or those of its contact and campaign."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from models import vault


def seal(variables: Mapping[str, Any]) -> str:
    """Variables as the ledger keeps them: JSON, encrypted."""
    return vault.current().encrypt(json.dumps(variables, ensure_ascii=False, separators=(",", ":")))


def of(row: Row[Any], campaign: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of a claimed row: its own when it has some, else its contact's and its campaign's.

    Of a campaign mail, what the contact's columns say wins over the campaign's, and that over attributes.
    """
    if row.variables is not None:
        sealed: Mapping[str, Any] = json.loads(vault.current().decrypt(row.variables))
        return sealed
    person = {
        "nombre": row.first_name,
        "apellido": row.last_name,
        "empresa": row.company,
        "cargo": row.role,
        "industria": row.industry,
    }
    known = {name: value for name, value in person.items() if value}
    return {**dict.fromkeys(person, ""), **row.attributes, **campaign, **known}
