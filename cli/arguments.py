"""Values of arguments: a contact by id or address, a file of JSON."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from models.session import Session


def contact_id(session: "Session", contact: str) -> UUID:
    """Return the id of the contact that is named by id or address. Raise NotFound for an unknown address."""
    from engine.audience import addresses, contacts

    try:
        return UUID(contact)
    except ValueError:
        stored = contacts.find(session, addresses.normalise(contact, field="CONTACT"))
    if stored is None:
        raise NotFound("contact: there is none with this address")
    return stored


def json_object(file: Path) -> dict[str, Any]:
    """Return the JSON object of a file; raise InvalidInput with the place of the fault."""
    try:
        values = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InvalidInput.of(file.name, f"is not JSON in UTF-8: {error}") from None
    if not isinstance(values, dict):
        raise InvalidInput.of(file.name, "is not a JSON object")
    return values
