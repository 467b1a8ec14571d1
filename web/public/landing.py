"""The parameter that passes the e-mail's id from a click to a landing page, where `static/track.js` reads it."""

from collections.abc import Collection
from uuid import UUID

from engine.tracking import origins
from models import ids

PARAMETER = "cadencia"


def with_email_id(target: str, email_id: UUID, listed: Collection[str], *, own: str) -> str:
    """Return the target with the e-mail's id as an additional parameter if its origin is listed, else unchanged.

    `own` is the address at which our own landing pages begin; they get the id, too. It is a capability, so no other
    site may get it. Query and fragment keep their bytes.
    """
    if not target.startswith(own) and (not listed or origins.of(target) not in listed):
        return target
    page, hash_sign, fragment = target.partition("#")
    separator = "" if page.endswith(("?", "&")) else "&" if "?" in page else "?"
    return f"{page}{separator}{PARAMETER}={ids.public(email_id)}{hash_sign}{fragment}"
