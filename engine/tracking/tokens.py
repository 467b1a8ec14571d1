"""Signed tokens of the three public addresses of an e-mail: /o/<token>.gif, /c/<token>, /u/<token>."""

import hmac
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from errors import NotFound

# A token is url-safe base64 without padding of
#     key id (1) · e-mail id (16) · [link (2, big-endian) · target (the rest)] · tag (16)
# The tag is keyed BLAKE2b (RFC 7693) of the bytes before it. A token does not contain its kind, but cannot be used as
# another kind: a click has its own personalisation, and one 48-byte hash of the e-mail's id gives the tag of the pixel
# (first third) and of the unsubscribe page (second third); the last third is in no token.
KEY_BYTES_MIN = 16
TARGET_CHARS_MAX = 2_048
LINK_MAX = 0xFFFF
HONEYPOT = LINK_MAX  # the number of the hidden link
SHORT_CHARS = 44  # the length of a token without a target

_TAG = 16
_TARGET_AT = 19
_SHORT = 33
_OPENED, _CLICKED, _UNSUBSCRIBE = range(3)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_is_web = re.compile(r"[hH][tT][tT][pP][sS]?://(?![/?#\\])[!-~]+").fullmatch

Destination = bytes  # a link's number and target, as a token holds them


class InvalidToken(NotFound):
    """The token was altered, truncated, forged, or signed with a key that is no longer in the ring."""


@dataclass(frozen=True, slots=True)
class Click:
    """The content of a click token: e-mail, link number and target."""

    email_id: UUID
    link: int
    target: str


def is_web(target: str) -> bool:
    """Return True if `target` is an absolute http(s) address in printable ASCII, so safe as a Location header."""
    return len(target) <= TARGET_CHARS_MAX and _is_web(target) is not None


@lru_cache(maxsize=256)  # most links of a campaign have the same targets for all readers
def destination(link: int, target: str) -> Destination:
    """Return link and target as a click token holds them; ValueError unless `target` is http(s) (see `is_web`)."""
    if len(target) > TARGET_CHARS_MAX or not _is_web(target):
        raise ValueError("click target: not an absolute http(s) address in printable ASCII")
    if not 0 <= link <= LINK_MAX:
        raise ValueError(f"link number: outside 0 to {LINK_MAX}")
    return link.to_bytes(2, "big") + target.encode("ascii")


class Signer:
    """Signs and verifies tokens with a ring of keys: the first signs, all verify.

    A key has at least 16 bytes. Every read raises InvalidToken for a token that this ring did not sign, so that a
    forged token looks like one of an e-mail that does not exist.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("tracking keys: none given, at least one is needed")
        ring = [_Key(key) for key in keys]
        self._first = ring[0]
        self._ring: dict[int, list[_Key]] = {}
        for key in ring:
            self._ring.setdefault(key.id, []).append(key)

    def email(self, email_id: UUID) -> "EmailTokens":
        """Return the signer of one e-mail's tokens."""
        return EmailTokens(self._first, email_id)

    def opened(self, email_id: UUID) -> str:
        """Return the token of an e-mail's pixel; 44 characters."""
        return self.email(email_id).opened().decode("ascii")

    def clicked(self, email_id: UUID, link: int, target: str) -> str:
        """Return the token of a link; ValueError unless `target` is http(s) (see `is_web`)."""
        return self.email(email_id).clicked(destination(link, target)).decode("ascii")

    def unsubscribe(self, email_id: UUID) -> str:
        """Return the token of an e-mail's unsubscribe page; 44 characters."""
        return self.email(email_id).unsubscribe().decode("ascii")

    def read_opened(self, token: str) -> UUID:
        """Return the e-mail of a pixel token, or raise InvalidToken."""
        return _email_id(self._verified(_OPENED, token))

    def read_clicked(self, token: str) -> Click:
        """Return the content of a click token, or raise InvalidToken; the target is http(s)."""
        body = self._verified(_CLICKED, token)
        target = body[_TARGET_AT:].decode("ascii", "replace")
        if not is_web(target):
            raise InvalidToken("token: not a valid link token")
        return Click(UUID(bytes=body[1:17]), int.from_bytes(body[17:_TARGET_AT], "big"), target)

    def read_unsubscribe(self, token: str) -> UUID:
        """Return the e-mail of an unsubscribe token, or raise InvalidToken."""
        return _email_id(self._verified(_UNSUBSCRIBE, token))

    def _verified(self, kind: int, token: str) -> bytes:
        raw = _decoded(token)
        body, tag = raw[:-_TAG], raw[-_TAG:]
        for key in self._ring.get(raw[0], ()):
            if hmac.compare_digest(tag, key.tag(kind, body)):
                return body
        raise InvalidToken("token: not one of ours")


class EmailTokens:
    """Signs the tokens of one e-mail with one key; they are ASCII."""

    __slots__ = ("_clicks", "_encoded", "_start")

    def __init__(self, key: "_Key", email_id: UUID) -> None:
        self._start = start = key.prefix + email_id.bytes
        self._clicks = key.clicks
        tags = _digest(key.tags, start)
        # 33 bytes are exactly 44 characters, so tokens encoded together equal tokens encoded one by one.
        self._encoded = _encoded(start + tags[:_TAG] + start + tags[_TAG:])

    def opened(self) -> bytes:
        """Return the token of the pixel; 44 characters."""
        return self._encoded[:SHORT_CHARS]

    def clicked(self, link: Destination) -> bytes:
        """Return the token of one link."""
        return self.all_clicked((link,))[0]

    def all_clicked(self, links: Sequence[Destination]) -> list[bytes]:
        """Return the token of each of these links."""
        start, keyed, signed = self._start, self._clicks.copy, []
        for link in links:
            body = start + link
            hashed = keyed()
            hashed.update(body)
            signed.append(b2a_base64(body + hashed.digest(), newline=False).translate(_TO_URL).rstrip(b"="))
        return signed

    def unsubscribe(self) -> bytes:
        """Return the token of the unsubscribe page; 44 characters."""
        return self._encoded[SHORT_CHARS : 2 * SHORT_CHARS]

    def boundary(self) -> bytes:
        """Return 22 characters for a MIME boundary; without the key they cannot be predicted or read from a token."""
        return self._encoded[2 * SHORT_CHARS :]


class _Key:
    """A prepared key: its id and two keyed hashes to copy."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < KEY_BYTES_MIN:
            raise ValueError(f"tracking key: {len(secret)} bytes, at least {KEY_BYTES_MIN} are needed")
        derived = blake2b(secret, digest_size=33, person=b"cadencia ring").digest()
        self.id = derived[0]
        self.prefix = derived[:1]
        self.clicks = blake2b(key=derived[1:], digest_size=_TAG, person=b"cadencia clicked")
        self.tags = blake2b(key=derived[1:], digest_size=3 * _TAG, person=b"cadencia mail")

    def tag(self, kind: int, body: bytes) -> bytes:
        """Return the tag of `body` as a token of this kind."""
        if kind == _CLICKED:
            return _digest(self.clicks, body)
        tags = _digest(self.tags, body)
        return tags[:_TAG] if kind == _OPENED else tags[_TAG : 2 * _TAG]


def _digest(keyed: blake2b, body: bytes) -> bytes:
    hashed = keyed.copy()
    hashed.update(body)
    return hashed.digest()


def _email_id(body: bytes) -> UUID:
    if len(body) != _SHORT - _TAG:
        raise InvalidToken("token: wrong length")
    return UUID(bytes=body[1:17])


def _encoded(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def _decoded(token: str) -> bytes:
    """Return the bytes of a token; InvalidToken for any but the canonical encoding of the same bytes."""
    try:
        ascii_bytes = token.encode("ascii")
        raw = a2b_base64(ascii_bytes.translate(_FROM_URL) + b"==")
    except (UnicodeEncodeError, Base64Error):
        raise InvalidToken("token: not url-safe base64") from None
    if len(raw) < _SHORT or _encoded(raw) != ascii_bytes:
        raise InvalidToken("token: not url-safe base64")
    return raw
