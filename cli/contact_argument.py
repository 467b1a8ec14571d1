"""Reads the contact that a command names by id or address."""

from typing import TYPE_CHECKING
from uuid import UUID

from errors import NotFound

if TYPE_CHECKING:
    from models.session import Session


def read(session: "Session", contact: str) -> UUID:
    """Return the id of the contact that is named by id or address. Raise NotFound for an unknown address."""
    from engine.audience import addresses, contacts

    try:
        return UUID(contact)
    except ValueError:
        contact_id = contacts.find(session, addresses.normalise(contact, field="CONTACT"))
    if contact_id is None:
        raise NotFound("contact: there is none with this address")
    return contact_id
