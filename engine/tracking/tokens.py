"""Signed tokens for the three public addresses of a mail: /o/<token>.gif, /c/<token>, /u/<token>."""

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
# The tag is keyed BLAKE2b (RFC 7693) over all that stands before it. The kind of token is not written into it, yet no
# kind can be passed off as another: a click has a personalisation of its own, and of one hash over the e-mail's id, 48
# bytes long, the first third is the tag of the pixel, the second that of the unsubscribe page; the last is in no token.
KEY_BYTES_MIN = 16
TARGET_CHARS_MAX = 2_048
LINK_MAX = 0xFFFF
HONEYPOT = LINK_MAX  # the number of the link that no reader sees
SHORT_CHARS = 44  # of a token without a target

_TAG = 16
_TARGET_AT = 19
_SHORT = 33
_OPENED, _CLICKED, _UNSUBSCRIBE = range(3)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_is_web = re.compile(r"[hH][tT][tT][pP][sS]?://(?![/?#\\])[!-~]+").fullmatch

Destination = bytes  # a link's number and target, as a token holds them


class InvalidToken(NotFound):
    """The token was altered, cut short, made up, or signed with a key no longer held."""


@dataclass(frozen=True, slots=True)
class Click:
    """What a click token says: which link of which e-mail, and where it leads."""

    email_id: UUID
    link: int
    target: str


def is_web(target: str) -> bool:
    """Whether `target` is an absolute http(s) address in printable ASCII: safe as a redirect's Location as it is."""
    return len(target) <= TARGET_CHARS_MAX and _is_web(target) is not None


@lru_cache(maxsize=256)  # most links of a campaign lead all its readers to the same places
def destination(link: int, target: str) -> Destination:
    """What a click token says of link and target; ValueError unless `target` is http(s) (see `is_web`)."""
    if len(target) > TARGET_CHARS_MAX or not _is_web(target):
        raise ValueError("click target: not an absolute http(s) address in printable ASCII")
    if not 0 <= link <= LINK_MAX:
        raise ValueError(f"link number: outside 0 to {LINK_MAX}")
    return link.to_bytes(2, "big") + target.encode("ascii")


class Signer:
    """Makes and reads tokens with a ring of keys: the first signs, all of them verify.

    A key has 16 bytes or more. Every read raises InvalidToken on anything this ring did not sign, so that a forged
    token looks like one for a mail that does not exist.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("tracking keys: none given, at least one is needed")
        ring = [_Key(key) for key in keys]
        self._first = ring[0]
        self._ring: dict[int, list[_Key]] = {}
        for key in ring:
            self._ring.setdefault(key.id, []).append(key)

    def mail(self, email_id: UUID) -> "Mail":
        """What signs the tokens of one e-mail."""
        return Mail(self._first, email_id)

    def opened(self, email_id: UUID) -> str:
        """A token for the pixel of one e-mail; 44 characters."""
        return self.mail(email_id).opened().decode("ascii")

    def clicked(self, email_id: UUID, link: int, target: str) -> str:
        """A token that carries link number and target; ValueError unless `target` is http(s) (see `is_web`)."""
        return self.mail(email_id).clicked(destination(link, target)).decode("ascii")

    def unsubscribe(self, email_id: UUID) -> str:
        """A token for the unsubscribe page of one e-mail; 44 characters."""
        return self.mail(email_id).unsubscribe().decode("ascii")

    def read_opened(self, token: str) -> UUID:
        """The e-mail whose pixel this is, or InvalidToken."""
        return _email_id(self._verified(_OPENED, token))

    def read_clicked(self, token: str) -> Click:
        """The click this token stands for, or InvalidToken; the target is http(s)."""
        body = self._verified(_CLICKED, token)
        target = body[_TARGET_AT:].decode("ascii", "replace")
        if not is_web(target):
            raise InvalidToken("token: not a valid link token")
        return Click(UUID(bytes=body[1:17]), int.from_bytes(body[17:_TARGET_AT], "big"), target)

    def read_unsubscribe(self, token: str) -> UUID:
        """The e-mail whose unsubscribe link this is, or InvalidToken."""
        return _email_id(self._verified(_UNSUBSCRIBE, token))

    def _verified(self, kind: int, token: str) -> bytes:
        raw = _decoded(token)
        body, tag = raw[:-_TAG], raw[-_TAG:]
        for key in self._ring.get(raw[0], ()):
            if hmac.compare_digest(tag, key.tag(kind, body)):
                return body
        raise InvalidToken("token: not one of ours")


class Mail:
    """Signs the tokens of one e-mail with one key; they are ASCII."""

    __slots__ = ("_begin", "_clicks", "_written")

    def __init__(self, key: "_Key", email_id: UUID) -> None:
        self._begin = begin = key.prefix + email_id.bytes
        self._clicks = key.clicks
        proofs = _digest(key.proofs, begin)
        # 33 bytes are 44 characters to the last bit: what stands in a row is written as each would be alone.
        self._written = _encoded(begin + proofs[:_TAG] + begin + proofs[_TAG:])

    def opened(self) -> bytes:
        """A token for the pixel; 44 characters."""
        return self._written[:SHORT_CHARS]

    def clicked(self, to: Destination) -> bytes:
        """A token for one link."""
        return self.all_clicked((to,))[0]

    def all_clicked(self, to: Sequence[Destination]) -> list[bytes]:
        """A token for each of these links."""
        begin, keyed, made = self._begin, self._clicks.copy, []
        for destined in to:
            body = begin + destined
            hashed = keyed()
            hashed.update(body)
            made.append(b2a_base64(body + hashed.digest(), newline=False).translate(_TO_URL).rstrip(b"="))
        return made

    def unsubscribe(self) -> bytes:
        """A token for the unsubscribe page; 44 characters."""
        return self._written[SHORT_CHARS : 2 * SHORT_CHARS]

    def boundary(self) -> bytes:
        """22 characters that nobody without the key can know beforehand and no token tells: they part a mail's body."""
        return self._written[2 * SHORT_CHARS :]


class _Key:
    """One key, made ready once: its id and two keyed hashes to copy."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < KEY_BYTES_MIN:
            raise ValueError(f"tracking key: {len(secret)} bytes, at least {KEY_BYTES_MIN} are needed")
        derived = blake2b(secret, digest_size=33, person=b"cadencia ring").digest()
        self.id = derived[0]
        self.prefix = derived[:1]
        self.clicks = blake2b(key=derived[1:], digest_size=_TAG, person=b"cadencia clicked")
        self.proofs = blake2b(key=derived[1:], digest_size=3 * _TAG, person=b"cadencia mail")

    def tag(self, kind: int, body: bytes) -> bytes:
        """What proves that this key signed `body` as a token of this kind."""
        if kind == _CLICKED:
            return _digest(self.clicks, body)
        proofs = _digest(self.proofs, body)
        return proofs[:_TAG] if kind == _OPENED else proofs[_TAG : 2 * _TAG]


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
    """The bytes of a token in its one canonical spelling; any other spelling of the same bytes is refused."""
    try:
        spelled = token.encode("ascii")
        raw = a2b_base64(spelled.translate(_FROM_URL) + b"==")
    except (UnicodeEncodeError, Base64Error):
        raise InvalidToken("token: not url-safe base64") from None
    if len(raw) < _SHORT or _encoded(raw) != spelled:
        raise InvalidToken("token: not url-safe base64")
    return raw
