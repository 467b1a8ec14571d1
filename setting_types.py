"""Types of settings: the checks of URLs, keys and rates, and secrets that a process does not get."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_settings import NoDecode

SECRET_BYTES_MIN = 32
TRACKING_KEY_BYTES_MIN = 16
FERNET_KEY_BYTES = 32

# What is valid and probably not meant in production, by the setting that is missing.
MISSING_IN_PRODUCTION = {
    "trusted_proxies": "TRUSTED_PROXIES is 0: behind a proxy, all callers share one rate limit and one network; "
    "set it to the number of proxies in front",
    "brand_name": "BRAND_NAME is not set: e-mails and readers' pages name the sender of MAIL_FROM instead",
    "brand_address": "BRAND_ADDRESS is not set: e-mails show no postal address, which laws on "
    "marketing e-mails require",
}


class Misconfigured(ValueError):
    """The settings are invalid; each line has a setting, its fault and a valid form."""


class Withheld:
    """Stands for a secret that this kind of process does not need, and so need not have; its use is a fault."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get_secret_value(self) -> str:
        """Raise Misconfigured."""
        raise Misconfigured(f"{self._name.upper()}: is not for this kind of process; see PROCESS in .env.example")

    def __iter__(self) -> Iterator[SecretStr]:
        """Raise Misconfigured."""
        self.get_secret_value()
        return iter(())


def _url(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        check_url(value.get_secret_value(), schemes)
        return value

    return check


def _urls(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        for number, url in enumerate(value.get_secret_value().split(), start=1):
            try:
                check_url(url, schemes)
            except ValueError as error:
                raise ValueError(f"[{number}] {error}") from None
        return value

    return check


def check_url(value: str, schemes: tuple[str, ...]) -> None:
    """Raise ValueError unless the value is a URL with one of these schemes."""
    examples = " or ".join(f"{scheme}://…" for scheme in schemes)
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  # raises if the port is invalid
    except ValueError:
        raise ValueError(f"is not a URL; write {examples}{encoding_hint(value)}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"has the wrong scheme; write {examples}")


def check_taggable(address: str, *, of: str = "") -> str:
    """Return the address; raise ValueError unless a tag fits into it (engine/tracking/address_tags.py)."""
    if not re.fullmatch(r"[\w.!#$%&'*/=?^`{|}~-]{1,19}@[A-Za-z0-9][A-Za-z0-9.-]{0,189}", address, re.ASCII):
        raise ValueError(f"{of}has not 1 to 19 plain characters before its @; write it like bounces@mail.example")
    return address


def _mailbox(value: str) -> str:
    if "@" not in parseaddr(value)[1]:
        raise ValueError('has no address; write it like "Cadencia <hola@cadencia.example>"')
    return value


def _web_address(value: str) -> str:
    check_url(value, ("https", "http"))
    return value.rstrip("/")


def encoding_hint(url: str) -> str:
    """Return words to add to a fault if a character of the user or password may have been taken for a delimiter."""
    if "@" not in url or not set("#/?[]") & set(url.partition("://")[2].rpartition("@")[0]):
        return ""
    return "; in a user or password write % as %25, # as %23, / as %2F, ? as %3F, [ as %5B, ] as %5D, @ as %40"


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("has no time zone; write it like 2026-01-15T10:00:00Z")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    size = len(value.get_secret_value().encode())
    if size < SECRET_BYTES_MIN:
        raise ValueError(f"has {size} bytes; use at least {SECRET_BYTES_MIN} random bytes")
    return value


def decoded(key: SecretStr) -> bytes:
    """Return a key as bytes; raise ValueError unless it is URL-safe base64."""
    try:
        return base64.b64decode(key.get_secret_value().encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("has a key that is not URL-safe base64") from None


def _fernet_ring(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not keys or any(len(decoded(key)) != FERNET_KEY_BYTES for key in keys):
        raise ValueError("must be one or more Fernet keys, comma separated: 32 bytes each, in URL-safe base64")
    return keys


def _tracking_ring(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not keys or any(len(decoded(key)) < TRACKING_KEY_BYTES_MIN for key in keys):
        raise ValueError("must be one or more keys, comma separated: 16 bytes or more each, in URL-safe base64")
    return keys


def _line(chars_max: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        text = " ".join(value.split())
        if not text.isprintable() or len(text) > chars_max:
            raise ValueError(f"{value[:chars_max]!r} is not one printable line of at most {chars_max} characters")
        return text

    return check


def _color(value: str) -> str:
    digits = value.strip().removeprefix("#").lower()
    if not re.fullmatch(r"[0-9a-f]{3}|[0-9a-f]{6}", digits):
        raise ValueError(f"{value[:40]!r} is not a colour; write it like #0b6b62")
    return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))


def _picture(value: str) -> str:
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?/[!#-&(-;=?-~]*", value):
        raise ValueError(
            f"{value[:200]!r} is not the address of a picture; write it like https://www.example.com/logo.png"
        )
    return value


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d* per (second|minute|hour|day)", value):
        raise ValueError("is not a rate; write it like `10 per minute`")
    return value


Aware = Annotated[datetime, AfterValidator(_aware)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]
Words = Annotated[tuple[str, ...], NoDecode]
Sender = Annotated[str, AfterValidator(_mailbox)]
Taggable = Annotated[str, AfterValidator(check_taggable)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Rate = Annotated[str, AfterValidator(_rate)]
BrandName = Annotated[str, AfterValidator(_line(80))]
PostalAddress = Annotated[str, AfterValidator(_line(200))]
Color = Annotated[str, AfterValidator(_color)]
PictureUrl = Annotated[str, AfterValidator(_picture)]
BrokerUrl = Annotated[SecretStr, AfterValidator(_url("redis", "rediss", "unix"))]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_url("postgresql"))]
RelayUrl = Annotated[SecretStr, AfterValidator(_url("smtp", "smtps", "lmtp"))]
MailboxUrl = Annotated[SecretStr, AfterValidator(_url("imaps", "imap"))]
RelayUrls = Annotated[SecretStr, AfterValidator(_urls("smtp", "smtps", "lmtp"))]
Key = Annotated[SecretStr, AfterValidator(_long_enough)]
FernetKeys = Annotated[Secrets, AfterValidator(_fernet_ring)]
TrackingKeys = Annotated[Secrets, AfterValidator(_tracking_ring)]
