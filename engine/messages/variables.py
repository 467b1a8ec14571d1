"""The variables of an e-mail: those of its send request, or those of its contact and campaign."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from engine.templates.variables import OF_CONTACT
from models import vault


def seal(variables: Mapping[str, Any]) -> str:
    """Return the variables as they are stored: JSON, encrypted."""
    return vault.current().encrypt(json.dumps(variables, ensure_ascii=False, separators=(",", ":")))


_EMPTY = dict.fromkeys(OF_CONTACT, "")


def of(row: Row[Any], campaign: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the variables of a claimed row: its own if it has any, else those of its contact and campaign."""
    if row.variables is not None:
        sealed: Mapping[str, Any] = json.loads(vault.current().decrypt(row.variables))
        return sealed
    contact = (row.first_name, row.last_name, row.company, row.role, row.industry)
    return of_contact(contact, row.attributes, campaign)


def of_contact(
    contact: Sequence[str | None], attributes: Mapping[str, Any] | None, campaign: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the variables of a campaign's e-mail; `contact` is first and last name, company, role and industry.

    The contact's columns take precedence over the campaign's variables, and these over the contact's attributes.
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
