"""IMAP mailboxes: record the messages that are new since the last poll, without changing the mailbox."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from ssl import SSLError
from urllib.parse import parse_qs, unquote, urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import CapabilityError, IMAPClientError, LoginError

from engine.inbound import incoming
from engine.inbound.incoming import Run
from errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)

FIRST_DAYS = 30  # the first poll begins with messages that are so old
_TIMEOUT_S = 60.0
_BODY = b"BODY[]<0>"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox and how to reach it."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    has_tls: bool
    starts_tls: bool

    @property
    def state_name(self) -> str:
        """Return the name of the file that remembers the last message; it reveals no user."""
        identity = json.dumps([self.host, self.port, self.user, self.folder])
        return f"imap-{blake2b(identity.encode(), digest_size=8).hexdigest()}.json"


@dataclass(frozen=True, slots=True)
class _Position:
    """The last message that was recorded; a new UIDVALIDITY makes all UIDs void (RFC 9051, 2.3.1.1)."""

    validity: int = 0
    uid: int = 0


def mailbox(url: str) -> Mailbox:
    """Return the mailbox of `imaps://user:password@host/folder`; raise InvalidInput without repeating the secret."""
    parts = urlsplit(url)
    if not (parts.hostname and parts.username and parts.password):
        raise InvalidInput.of("IMAP_URL", "write imaps://user:password@host/INBOX, with @ : / % in user or password "
                                          "percent-encoded, such as %40 for @")  # fmt: skip
    has_tls = parts.scheme == "imaps"
    starts_tls = not has_tls and parse_qs(parts.query).get("starttls") != ["off"]
    return Mailbox(
        parts.hostname,
        parts.port or (993 if has_tls else 143),
        unquote(parts.username),
        unquote(parts.password),
        unquote(parts.path.strip("/")) or "INBOX",
        has_tls,
        starts_tls,
    )


def poll(box: Mailbox, state: Path, *, limit_bytes: int, run: Run, now: Callable[[], datetime]) -> int:
    """Record the new messages and return their number; the mailbox keeps them, and their flags.

    The position in `state` is written after each message is recorded, so a message may be recorded twice, which is
    harmless, and none is lost. Of a larger one only the first `limit_bytes` are fetched. Raises Unavailable if the
    mailbox or the database is.
    """
    count = 0
    try:
        with IMAPClient(box.host, box.port, ssl=box.has_tls, timeout=_TIMEOUT_S) as client:
            _log_in(client, box)
            for position, raw in _new(client, box.folder, _read(state), limit_bytes, now()):
                with suppress(incoming.Unrecordable):
                    incoming.handle(raw, f"uid {position.uid}", run=run, now=now())
                _write(state, position)
                count += 1
    except LoginError:
        raise Unavailable("imap: the server refused user or password") from None
    except SSLError as error:
        raise Unavailable(f"imap: no secure connection ({error.reason})") from None
    except (OSError, IMAPClientError) as error:
        raise Unavailable(f"imap: not available ({type(error).__name__})") from None
    return count


def _log_in(client: IMAPClient, box: Mailbox) -> None:
    if box.starts_tls:
        try:
            client.starttls()
        except CapabilityError:
            raise Unavailable("imap: the server has no STARTTLS; write imaps://, or ?starttls=off at the end") from None
    client.login(box.user, box.password)
    if not client.folder_exists(box.folder):
        raise Unavailable(f"imap: there is no folder {box.folder!r}; IMAP_URL names it after the host")


def _new(
    client: IMAPClient, folder: str, last: _Position, limit_bytes: int, now: datetime
) -> Iterator[tuple[_Position, bytes]]:
    """Yield the messages after the last one, in the order of their UIDs, one at a time."""
    validity = int(client.select_folder(folder, readonly=True)[b"UIDVALIDITY"])
    first = last.uid + 1 if last.validity == validity else 0
    criteria = ["UID", f"{first}:*"] if first else ["SINCE", (now - timedelta(days=FIRST_DAYS)).date()]
    for uid in sorted(uid for uid in client.search(criteria) if uid >= first):  # n:* has the last one always
        answer = client.fetch([uid], [f"BODY.PEEK[]<0.{limit_bytes}>"]).get(uid)
        if answer is not None and answer.get(_BODY) is not None:  # else it was removed meanwhile
            yield _Position(validity, uid), answer[_BODY]


def _read(state: Path) -> _Position:
    try:
        return _Position(**json.loads(state.read_text()))
    except FileNotFoundError:
        return _Position()
    except (ValueError, TypeError):
        log.warning("imap_position_unreadable file=%s", state.name)
        return _Position()


def _write(state: Path, position: _Position) -> None:
    """Replace the file as a whole; after a power failure, messages may be recorded once more."""
    state.parent.mkdir(parents=True, exist_ok=True)
    unfinished = state.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps({"validity": position.validity, "uid": position.uid}))
    unfinished.replace(state)
