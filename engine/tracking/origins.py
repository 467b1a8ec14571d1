"""Origins of web addresses."""

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}


def of(address: str) -> str | None:
    """Return scheme, host and port as a browser writes an origin; None without them, and if they are ambiguous."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "\\" in address:
        return None
    return f"{parts.scheme}://{parts.hostname}" + (
        f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else ""
    )
