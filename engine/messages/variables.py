"""The variables of a mail: those it was sent with, or those of its contact and campaign."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from models import vault


def seal(variables: Mapping[str, Any]) -> str:
    """Variables as the ledger keeps them: JSON, encrypted."""
    return vault.current().encrypt(json.dumps(variables, ensure_ascii=False, separators=(",", ":")))


# What a contact's columns are called in templates.
_EMPTY = dict.fromkeys(("nombre", "apellido", "empresa", "cargo", "industria"), "")


def of(row: Row[Any], campaign: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of a claimed row: its own when it has some, else its contact's and its campaign's."""
    if row.variables is not None:
        sealed: Mapping[str, Any] = json.loads(vault.current().decrypt(row.variables))
        return sealed
    contact = (row.first_name, row.last_name, row.company, row.role, row.industry)
    return of_contact(contact, row.attributes, campaign)


def of_contact(
    contact: Sequence[str | None], attributes: Mapping[str, Any] | None, campaign: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The variables of a campaign's mail; `contact` is first and last name, company, role and industry.

    What the contact's columns say wins over the campaign's variables, and those over its attributes.
    """
    values = {**_EMPTY, **attributes, **campaign} if attributes else {**_EMPTY, **campaign}
    first, last, company, role, industry = contact
    if first:
        values["nombre"] = first
    if last:
        values["apellido"] = last
    if company:
        values["empresa"] = company
    if role:
        values["cargo"] = role
    if industry:
        values["industria"] = industry
    return values
