"""A mail server for replies and bounces: receives messages over SMTP or LMTP and stores each before it accepts it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope

from engine.inbound import mail_spool
from engine.inbound.server_thread import ServerThread
from engine.tracking import address_tags

log = logging.getLogger(__name__)

_LINE_BYTES = 65_536  # longer lines are read in pieces
_RECIPIENTS_MAX = 100
_STORED = "250 2.0.0 Stored"
_NOT_STORED = "452 4.3.1 The message could not be stored, try again later"


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a mail server: bytes of a message and of all that wait, connections, and seconds of each."""

    message_bytes: int
    spool_bytes: int
    connections: int = 50
    command_s: float = 300.0  # RFC 5321, 4.5.3.2
    connection_s: float = 1_800.0


class Receiver:
    """A mail server on a thread of its own; a context manager. `port` is the real one within its block.

    It accepts mail to `addresses`, also as `local+anything@domain`, and relays nothing. `on_stored` is called after
    each message. It has no TLS and no AUTH: keep it behind a mail server or on a private network.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Collection[str],
        limits: Limits,
        on_stored: Callable[[], None],
        *,
        is_lmtp: bool = False,
    ) -> None:
        self.folder = folder
        self.limits = limits
        self.is_lmtp = is_lmtp
        self.on_stored = on_stored
        self.connections = 0
        self._addresses = {address.casefold() for address in addresses}
        self._server = ServerThread("inbound-smtp")

    def start(self, host: str, port: int) -> int:
        """Listen and return the port, any free one for 0. Raise OSError if it is taken."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd logs commands, which contain addresses
        return self._server.start(self._protocol, host, port)

    def stop(self) -> None:
        """Close the port and all connections. A receiver cannot be started twice."""
        self._server.stop()

    def accepts(self, recipient: str) -> bool:
        """Return True if this is one of our addresses, with or without a tag."""
        return address_tags.is_among(recipient, self._addresses)

    def draft(self, envelope: Envelope) -> mail_spool.Draft:
        """Return a new message of the spool; raise OSError if it cannot be stored now."""
        return mail_spool.draft(
            self.folder,
            sender=(envelope.mail_from or "").replace("<>", ""),
            recipients=envelope.rcpt_tos,
            limit_bytes=self.limits.spool_bytes,
        )

    def _protocol(self) -> asyncio.Protocol:
        if self.connections >= self.limits.connections:
            return _Busy()
        return (_LmtpProtocol if self.is_lmtp else _SmtpProtocol)(self, self._server.loop)


class _Busy(asyncio.Protocol):
    """A connection above the limit."""

    def connection_made(self, transport: Any) -> None:
        transport.write(b"421 4.3.2 Too many connections, try again later\r\n")
        transport.close()


class _Hooks:
    """The hooks that aiosmtpd calls by name."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def handle_RCPT(  # noqa: N802  # name and arguments are aiosmtpd's
        self, _server: SMTP, _session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self._receiver.accepts(address):
            return "550 5.1.1 No such mailbox here"
        # A reply for each recipient would be due in LMTP (RFC 2033, 4.2), so let the client send them one by one.
        if len(envelope.rcpt_tos) >= (1 if self._receiver.is_lmtp else _RECIPIENTS_MAX):
            return "452 4.5.3 Too many recipients, send the others separately"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        log.error("inbound_conversation_failed error=%s", type(error).__name__, exc_info=error)
        return "451 4.3.0 Internal error, try again later"


class _Streaming(SMTP):
    """Writes a message to the spool as it arrives: aiosmtpd itself holds all of it in memory, line by line."""

    line_length_limit = _LINE_BYTES

    def __init__(self, receiver: Receiver, loop: asyncio.AbstractEventLoop) -> None:
        self._receiver = receiver
        limits = receiver.limits
        super().__init__(
            _Hooks(receiver), hostname="cadencia", ident="Cadencia", enable_SMTPUTF8=True, loop=loop,
            data_size_limit=limits.message_bytes, timeout=limits.command_s,
        )  # fmt: skip

    def connection_made(self, transport: Any) -> None:
        self._receiver.connections += 1
        self._deadline = self.loop.call_later(self._receiver.limits.connection_s, transport.abort)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._receiver.connections -= 1
        self._deadline.cancel()
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # the name that aiosmtpd calls
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        if envelope is None or arg or not envelope.rcpt_tos:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 RCPT comes first")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        status = await self._store(envelope)
        self.envelope = self._create_envelope()
        await self.push(status)

    async def _store(self, envelope: Envelope) -> str:
        """Read all of the message, store it if it is not too large, and return the reply."""
        limit, size, fault = self._receiver.limits.message_bytes, 0, ""
        with ExitStack() as stack:
            try:
                draft = self._receiver.draft(envelope)
                stack.callback(draft.discard)
            except OSError as error:
                fault = type(error).__name__
            async for piece in self._pieces():
                size += len(piece)
                if size > limit or fault:
                    continue
                try:
                    draft.write(piece)
                except OSError as error:
                    fault = type(error).__name__
            if size > limit:
                return f"552 5.3.4 The message is larger than {limit} bytes"
            if not fault:
                fault = await asyncio.to_thread(_published, draft)
        if fault:
            log.error("inbound_not_stored error=%s", fault)
            return _NOT_STORED
        self._receiver.on_stored()
        return _STORED

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Yield the lines of the message without doubled dots; a line that is too long comes in pieces."""
        is_start = True
        while True:
            try:
                piece, is_end = await self._reader.readuntil(b"\r\n"), True
            except asyncio.LimitOverrunError as error:
                piece, is_end = await self._reader.read(error.consumed), False
            if is_start and piece == b".\r\n":
                return
            yield piece[1:] if is_start and piece.startswith(b".") else piece
            is_start = is_end


def _published(draft: mail_spool.Draft) -> str:
    """Make the message durable; return the name of the error if that fails."""
    try:
        draft.publish()
    except OSError as error:
        return type(error).__name__
    return ""


class _SmtpProtocol(_Streaming):
    pass


class _LmtpProtocol(_Streaming, LMTP):
    pass
