"""The parameter that passes the e-mail's id from a click to a landing page, where `static/track.js` reads it."""

from collections.abc import Collection
from urllib.parse import urlsplit
from uuid import UUID

from models import ids

PARAMETER = "cadencia"


def with_email_id(target: str, email_id: UUID, origins: Collection[str], *, own: str) -> str:
    """Return the target with the e-mail's id as an additional parameter if its origin is one of these, else unchanged.

    `own` is the address at which our own landing pages begin; they get the id, too. It is a capability, so no other
    site may get it. Query and fragment keep their bytes.
    """
    if not target.startswith(own) and (not origins or _origin(target) not in origins):
        return target
    page, hash_sign, fragment = target.partition("#")
    separator = "" if page.endswith(("?", "&")) else "&" if "?" in page else "?"
    return f"{page}{separator}{PARAMETER}={ids.public(email_id)}{hash_sign}{fragment}"


def _origin(target: str) -> str | None:
    """Return scheme, host and port as a browser writes an origin; None if that is ambiguous."""
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or "\\" in target:
        return None
    default_port = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port not in (None, default_port) else "")
