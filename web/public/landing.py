"""Landing pages: the parameter by which a click tells a page of ours its e-mail. `static/track.js` reads it there."""

from collections.abc import Collection
from urllib.parse import urlsplit
from uuid import UUID

from models import ids

PARAMETER = "cadencia"


def carried(target: str, email_id: UUID, origins: Collection[str]) -> str:
    """The target with the e-mail's id as one more parameter, if it is a page of one of these origins; else as it is.

    The id is a capability, so no other site is told. Query and fragment stay to the byte.
    """
    if not origins or _origin(target) not in origins:
        return target
    page, mark, fragment = target.partition("#")
    joint = "" if page.endswith(("?", "&")) else "&" if "?" in page else "?"
    return f"{page}{joint}{PARAMETER}={ids.public(email_id)}{mark}{fragment}"


def _origin(target: str) -> str | None:
    """Scheme, host and port as a browser writes an origin; None where it is not plain what that would be."""
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or "\\" in target:
        return None
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port not in (None, usual) else "")
