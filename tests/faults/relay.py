"""A mail server with faults: at random moments it delays, refuses, disconnects, or kills its client.

python -m tests.faults.relay --port 2600 --log relay.log --seed 7 --rate 0.02 --faults 421,451,hang-up

Each line of the log is an action, a Message-ID (or -) and a recipient (or -). It is written before the relay
replies, and synced if the action is "accepted". One process, one thread; SIGTERM ends it.
"""

import argparse
import asyncio
import os
import random
import re
import signal
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_HELLO = b"250-relay.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000\r\n"
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*<?([^>\s]+)")
_RECIPIENT = re.compile(rb"<([^>]*)>")

# The events at which each fault may happen. ACCEPTED is after the message was logged as accepted.
FAULTS = {
    "tarpit": ("BANNER", "MAIL", "RCPT", "DATA", "DOT"),
    "421": ("BANNER", "MAIL", "RCPT", "DATA", "DOT"),
    "450": ("MAIL", "RCPT", "DATA", "DOT"),
    "451": ("RCPT", "DOT"),
    "550": ("RCPT",),
    "garbage": ("MAIL", "DOT"),
    "hang-up": ("BANNER", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT"),
    "accept-and-hang-up": ("ACCEPTED",),
}
_REPLIES = {
    "421": b"421 4.3.2 going down\r\n",
    "450": b"450 4.2.0 try again later\r\n",
    "451": b"451 4.3.0 local error\r\n",
    "550": b"550 5.7.1 not wanted\r\n",
    "garbage": b"\xff\xfe what?\r\n",
}


@dataclass(frozen=True)
class Log:
    """The log of a relay."""

    lines: tuple[tuple[str, str, str], ...]

    @classmethod
    def read(cls, path: Path) -> "Log":
        """Read the log, without a last line that is not complete yet."""
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return cls(tuple((action, name, to) for action, name, to in (line.split(" ") for line in whole.splitlines())))

    def count(self, action: str) -> int:
        """Return the number of lines with this action."""
        return sum(line[0] == action for line in self.lines)

    @property
    def accepted(self) -> Counter[str]:
        """Count how often each Message-ID was accepted, with or without a reply."""
        return Counter(name for action, name, _ in self.lines if action == "accepted")

    @property
    def unanswered(self) -> Counter[str]:
        """Count how often the reply to a whole message was withheld, by Message-ID."""
        return Counter(name for action, name, _ in self.lines if action == "unanswered")

    @property
    def faults(self) -> Counter[str]:
        """Count how often each fault happened."""
        return Counter(action for action, _, _ in self.lines if action not in ("accepted", "unanswered", "killed"))


class HangUp(Exception):
    """Raised to end the connection."""


class Relay:
    """The server; all connections share one seeded sequence of faults and one log."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._chance = random.Random(options.seed)
        self._port = options.port
        self._rate = options.rate
        self._faults = [name for name in options.faults.split(",") if name]
        self._delay_s = options.delay_s
        self._kill_at = {int(number) for number in options.kill_at.split(",") if number}
        self._accepted = 0
        self._log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def fault(self, event: str) -> str | None:
        """Choose and log a fault for this event; None most of the time."""
        fitting = [name for name in self._faults if event in FAULTS[name]]
        if not fitting or self._chance.random() >= self._rate:
            return None
        chosen = self._chance.choice(fitting)
        self.note(f"{chosen}@{event}")
        return chosen

    def note(self, action: str, message_id: str = "-", recipient: str = "-", *, synced: bool = False) -> None:
        """Append a line to the log, in one write."""
        os.write(self._log, f"{action} {message_id} {recipient}\n".encode())
        if synced:
            os.fsync(self._log)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        with suppress(HangUp, ConnectionError, asyncio.IncompleteReadError):
            await _Dialogue(self, reader, writer).run()
        writer.close()

    async def accept(self, client: "_Dialogue", message: bytes) -> None:
        """Accept or refuse a message; the reply to an accepted one may still be withheld."""
        name = _message_id(message)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if (fault := self.fault("DOT")) is not None:
            if fault in ("hang-up", "garbage"):
                self.note("unanswered", name)
            await client.apply_fault(fault)
            if fault != "tarpit":
                return
        self.note("accepted", name, client.recipient, synced=True)
        self._accepted += 1
        if self._accepted in self._kill_at:
            self.note("killed", name)
            os.kill(_process_at(client.port, self._port), signal.SIGKILL)
            raise HangUp
        if self.fault("ACCEPTED") is not None:
            self.note("unanswered", name)
            raise HangUp
        client.write(b"250 2.0.0 Ok: queued as %d\r\n" % self._accepted)


class _Dialogue:
    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.recipient = "-"
        self.port: int = writer.get_extra_info("peername")[1]
        self._has_sender = False
        self._relay = relay
        self._reader = reader
        self._writer = writer

    async def run(self) -> None:
        await self._answer("BANNER", b"220 relay.example.com ESMTP\r\n")
        while line := await self._reader.readline():
            await self._handle(line[:4].upper().decode("ascii", "replace").strip(), line)

    async def apply_fault(self, fault: str) -> None:
        """Apply the fault. After a refusal the connection stays open; the other faults close it."""
        if fault == "tarpit":
            await asyncio.sleep(0.3)
            return
        self.write(_REPLIES.get(fault, b""))
        if fault in ("421", "hang-up", "garbage"):
            await self._writer.drain()
            if fault == "hang-up":
                self._reset()
            raise HangUp

    def write(self, reply: bytes) -> None:
        self._writer.write(reply)

    async def _handle(self, verb: str, line: bytes) -> None:
        if verb == "EHLO":
            await self._answer("EHLO", _HELLO)
        elif verb == "MAIL":
            self.recipient = "-"
            self._has_sender = await self._answer("MAIL", b"250 2.1.0 Ok\r\n")
        elif verb == "RCPT" and self._has_sender:
            if await self._answer("RCPT", b"250 2.1.5 Ok\r\n") and (match := _RECIPIENT.search(line)):
                self.recipient = match.group(1).decode()
        elif verb == "DATA":
            await self._data()
        elif verb == "QUIT":
            self.write(b"221 2.0.0 Bye\r\n")
            raise HangUp
        else:
            self.write(b"250 2.0.0 Ok\r\n" if verb in ("RSET", "NOOP") else b"503 5.5.1 not now\r\n")

    async def _data(self) -> None:
        if self.recipient == "-":
            self.write(b"554 5.5.1 no valid recipients\r\n")
            return
        if not await self._answer("DATA", b"354 go ahead\r\n"):
            return
        if self._relay.fault("BODY"):
            self._relay.note("unanswered", _message_id(await self._reader.readuntil(b"\r\n\r\n")))
            self._reset()
            raise HangUp
        await self._relay.accept(self, await self._reader.readuntil(b"\r\n.\r\n"))

    async def _answer(self, event: str, usual: bytes) -> bool:
        """Write the usual reply or apply a fault; return True if the usual reply was written."""
        fault = self._relay.fault(event)
        if fault is not None:
            await self.apply_fault(fault)
        if fault in (None, "tarpit"):
            self.write(usual)
            return True
        return False

    def _reset(self) -> None:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _message_id(message: bytes) -> str:
    match = _MESSAGE_ID.search(message)
    return match.group(1).decode() if match else "-"


def _process_at(near: int, far: int) -> int:
    """Return the process that has a local connection from port `near` to port `far`."""
    ends = (end for end in psutil.net_connections("tcp4") if end.pid and end.raddr)
    return next(end.pid for end in ends if (end.laddr.port, end.raddr.port) == (near, far))


async def _run(options: argparse.Namespace) -> None:
    relay = Relay(options)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", options.port, limit=4_000_000, backlog=512)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    await server.serve_forever()


def main() -> None:
    """Run the relay from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="where to listen on 127.0.0.1")
    parser.add_argument("--log", type=Path, required=True, help="appended to, one line for each action")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random choices")
    parser.add_argument("--rate", type=float, default=0.0, help="probability of a fault at each event")
    parser.add_argument("--faults", default="", help=f"comma-separated: {', '.join(FAULTS)}")
    parser.add_argument("--delay-s", type=float, default=0.0, help="pause before each reply to a whole message")
    parser.add_argument("--kill-at", default="", help="kill the client when the n-th message is accepted: n,n,…")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
