"""The mail server of the embedded installation: receives messages over SMTP and stores them; rules may refuse some."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiosmtpd.smtp import SMTP, Envelope, Session

from engine.inbound.server_thread import ServerThread
from engine.tracking import address_tags
from local.mail.mailstore import Mailstore

_log = logging.getLogger(__name__)

HOSTNAME = "inbox.localhost"
_STORED = "250 2.0.0 Stored"
_NOT_STORED = "451 4.3.0 The message could not be stored, try again later"

OnReply = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A RCPT whose local part starts with `prefix` gets `reply`: always, or the first `times` times."""

    prefix: str
    reply: str
    times: int | None = None


DEMO_RULES = (
    Rule("rebota", "550 5.1.1 No such mailbox here"),
    Rule("ocupado", "451 4.3.0 Mailbox busy, try again later", times=2),
)


@dataclass(frozen=True, slots=True)
class Replies:
    """Mail to `addresses` (or `local+anything@domain`) is passed to `on_reply` as raw bytes, and not stored.

    The bytes begin with a Delivered-To line for each recipient, as those that other mail servers pass on.
    `on_reply` runs in a thread. It may be called several times at once, and again with the same message. If it raises,
    the sender gets a 451 and tries again later.
    """

    addresses: Collection[str]
    on_reply: OnReply

    def matches(self, recipient: str) -> bool:
        """Return True if this recipient is one of the addresses."""
        return address_tags.is_among(recipient, {address.casefold() for address in self.addresses})


class Receiver:
    """An SMTP server on its own thread; every message is in the store before its 250 is sent.

    It announces SIZE, 8BITMIME, SMTPUTF8 and PIPELINING. It has no TLS and no AUTH, so keep it on the local machine.
    A `port` of 0 means any free one.
    """

    def __init__(
        self,
        store: Mailstore,
        port: int,
        *,
        host: str = "127.0.0.1",
        rules: Sequence[Rule] = (),
        replies: Replies | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._handler = _Handler(store, rules, replies)
        self._server = ServerThread("inbox-smtp")

    def start(self) -> None:
        """Listen; `port` is the real one afterwards. Raise OSError if the port is taken."""
        # At INFO aiosmtpd logs commands, which contain addresses.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        self.port = self._server.start(self._protocol, self.host, self.port)

    def stop(self) -> None:
        """Close the port and all connections. A receiver cannot be started twice."""
        self._server.stop()

    def _protocol(self) -> SMTP:
        return SMTP(
            self._handler, hostname=HOSTNAME, ident="Cadencia inbox", enable_SMTPUTF8=True, loop=self._server.loop
        )


class _Handler:
    """The hooks that aiosmtpd calls by name, one per command."""

    def __init__(self, store: Mailstore, rules: Sequence[Rule], replies: Replies | None) -> None:
        self._store = store
        self._rules = rules
        self._replies = replies
        self._refused: Counter[str] = Counter()

    async def handle_EHLO(  # noqa: N802 # name and arguments are aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # aiosmtpd reads commands from one buffer, in order, and discards none, as RFC 2920, 3.2 asks.
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802 # name and arguments are aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal(address):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  # name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        try:
            await self._store_message(envelope)
        except Exception as error:  # noqa: BLE001  # on_reply may raise anything; the sender needs a reply
            _log.error("message_not_stored error=%s", type(error).__name__)
            return _NOT_STORED
        return _STORED

    async def _store_message(self, envelope: Envelope) -> None:
        raw = envelope.original_content or b""
        reply_addresses = [address for address in envelope.rcpt_tos if self._is_reply(address)]
        recipients = [address for address in envelope.rcpt_tos if address not in reply_addresses]
        if reply_addresses and self._replies:
            trace = "".join(f"Delivered-To: {address}\r\n" for address in reply_addresses)
            await asyncio.to_thread(self._replies.on_reply, trace.encode("utf-8", "surrogateescape") + raw)
        if recipients:
            sender = (envelope.mail_from or "").replace("<>", "")
            self._store.add(raw, sender=sender, recipients=recipients, received_at=datetime.now(UTC))

    def _is_reply(self, address: str) -> bool:
        return self._replies is not None and self._replies.matches(address)

    def _refusal(self, address: str) -> str | None:
        key = address.casefold()
        for rule in self._rules:
            if key.startswith(rule.prefix) and (rule.times is None or self._refused[key] < rule.times):
                self._refused[key] += 1
                return rule.reply
        return None
