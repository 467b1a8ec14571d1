"""A relay with faults: takes mail, and at random moments tarpits, refuses, hangs up, or kills who is talking to it.

python -m tests.faults.relay --port 2600 --log taken.log --seed 7 --rate 0.02 --faults 421,451,hang-up

Each line of the log is written, and synced where the message counts as taken, before the relay answers:
what it did, the Message-ID (or -), the recipient (or -). One process, one thread; SIGTERM ends it.
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

# What may go wrong, by the event it goes wrong at. "taken" happens after the message was noted as taken.
FAULTS = {
    "tarpit": ("BANNER", "MAIL", "RCPT", "DATA", "DOT"),
    "421": ("BANNER", "MAIL", "RCPT", "DATA", "DOT"),
    "450": ("MAIL", "RCPT", "DATA", "DOT"),
    "451": ("RCPT", "DOT"),
    "550": ("RCPT",),
    "garbage": ("MAIL", "DOT"),
    "hang-up": ("BANNER", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT"),
    "take-and-hang-up": ("TAKEN",),
}
_WORDS = {
    "421": b"421 4.3.2 going down\r\n",
    "450": b"450 4.2.0 try again later\r\n",
    "451": b"451 4.3.0 local error\r\n",
    "550": b"550 5.7.1 not wanted\r\n",
    "garbage": b"\xff\xfe what?\r\n",
}


@dataclass(frozen=True)
class Log:
    """What a relay noted, read back."""

    lines: tuple[tuple[str, str, str], ...]

    @classmethod
    def read(cls, path: Path) -> "Log":
        """The log as it is now; its last line may still be being written."""
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return cls(tuple((did, name, to) for did, name, to in (line.split(" ") for line in whole.splitlines())))

    def count(self, did: str) -> int:
        """How many lines say that it did this."""
        return sum(line[0] == did for line in self.lines)

    @property
    def taken(self) -> Counter[str]:
        """How often each Message-ID was taken, whether it was told so or not."""
        return Counter(name for did, name, _ in self.lines if did == "taken")

    @property
    def unanswered(self) -> Counter[str]:
        """How often the reply to a whole message was withheld, by Message-ID."""
        return Counter(name for did, name, _ in self.lines if did == "unanswered")

    @property
    def faults(self) -> Counter[str]:
        """How often each fault happened."""
        return Counter(did for did, _, _ in self.lines if did not in ("taken", "unanswered", "killed"))


class HangUp(Exception):
    """This connection ends here."""


class Relay:
    """All connections share one seeded sequence of faults and one log."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._chance = random.Random(options.seed)
        self._port = options.port
        self._rate = options.rate
        self._faults = [name for name in options.faults.split(",") if name]
        self._delay_s = options.delay_s
        self._kill_at = {int(number) for number in options.kill_at.split(",") if number}
        self._taken = 0
        self._log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def fault(self, event: str) -> str | None:
        """What goes wrong at this event; nearly always nothing."""
        fitting = [name for name in self._faults if event in FAULTS[name]]
        if not fitting or self._chance.random() >= self._rate:
            return None
        chosen = self._chance.choice(fitting)
        self.note(f"{chosen}@{event}")
        return chosen

    def note(self, did: str, message_id: str = "-", recipient: str = "-", *, durably: bool = False) -> None:
        """One line of the log, in one write."""
        os.write(self._log, f"{did} {message_id} {recipient}\n".encode())
        if durably:
            os.fsync(self._log)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        with suppress(HangUp, ConnectionError, asyncio.IncompleteReadError):
            await _Dialogue(self, reader, writer).run()
        writer.close()

    async def take(self, visitor: "_Dialogue", message: bytes) -> None:
        """The message is ours from here on; the reply may still be withheld."""
        name = _message_id(message)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if (fault := self.fault("DOT")) is not None:
            if fault in ("hang-up", "garbage"):
                self.note("unanswered", name)
            await visitor.suffer(fault)
            if fault != "tarpit":
                return
        self.note("taken", name, visitor.recipient, durably=True)
        self._taken += 1
        if self._taken in self._kill_at:
            self.note("killed", name)
            os.kill(_process_at(visitor.port, self._port), signal.SIGKILL)
            raise HangUp
        if self.fault("TAKEN") is not None:
            self.note("unanswered", name)
            raise HangUp
        visitor.say(b"250 2.0.0 Ok: queued as %d\r\n" % self._taken)


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
            await self._obey(line[:4].upper().decode("ascii", "replace").strip(), line)

    async def suffer(self, fault: str) -> None:
        """Let the fault happen; a refusal leaves the connection standing, the rest ends it."""
        if fault == "tarpit":
            await asyncio.sleep(0.3)
            return
        self.say(_WORDS.get(fault, b""))
        if fault in ("421", "hang-up", "garbage"):
            await self._writer.drain()
            if fault == "hang-up":
                self._reset()
            raise HangUp

    def say(self, words: bytes) -> None:
        self._writer.write(words)

    async def _obey(self, verb: str, line: bytes) -> None:
        if verb == "EHLO":
            await self._answer("EHLO", _HELLO)
        elif verb == "MAIL":
            self.recipient = "-"
            self._has_sender = await self._answer("MAIL", b"250 2.1.0 Ok\r\n")
        elif verb == "RCPT" and self._has_sender:
            if await self._answer("RCPT", b"250 2.1.5 Ok\r\n") and (found := _RECIPIENT.search(line)):
                self.recipient = found.group(1).decode()
        elif verb == "DATA":
            await self._data()
        elif verb == "QUIT":
            self.say(b"221 2.0.0 Bye\r\n")
            raise HangUp
        else:
            self.say(b"250 2.0.0 Ok\r\n" if verb in ("RSET", "NOOP") else b"503 5.5.1 not now\r\n")

    async def _data(self) -> None:
        if self.recipient == "-":
            self.say(b"554 5.5.1 no valid recipients\r\n")
            return
        if not await self._answer("DATA", b"354 go ahead\r\n"):
            return
        if self._relay.fault("BODY"):
            self._relay.note("unanswered", _message_id(await self._reader.readuntil(b"\r\n\r\n")))
            self._reset()
            raise HangUp
        await self._relay.take(self, await self._reader.readuntil(b"\r\n.\r\n"))

    async def _answer(self, event: str, usual: bytes) -> bool:
        """Whether the answer was the usual one."""
        fault = self._relay.fault(event)
        if fault is not None:
            await self.suffer(fault)
        if fault in (None, "tarpit"):
            self.say(usual)
            return True
        return False

    def _reset(self) -> None:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _message_id(message: bytes) -> str:
    found = _MESSAGE_ID.search(message)
    return found.group(1).decode() if found else "-"


def _process_at(near: int, far: int) -> int:
    """The process whose end of a local connection is at port `near`, the other end being at `far`."""
    ends = (end for end in psutil.net_connections("tcp4") if end.pid and end.raddr)
    return next(end.pid for end in ends if (end.laddr.port, end.raddr.port) == (near, far))


async def _run(options: argparse.Namespace) -> None:
    relay = Relay(options)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", options.port, limit=4_000_000, backlog=512)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, os._exit, 0)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="where to listen on 127.0.0.1")
    parser.add_argument("--log", type=Path, required=True, help="what happened, one line each; appended to")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random")
    parser.add_argument("--rate", type=float, default=0.0, help="how likely a fault is at each event (0 to 1)")
    parser.add_argument("--faults", default="", help=f"which: {', '.join(FAULTS)}")
    parser.add_argument("--delay-s", type=float, default=0.0, help="pause before each answer to a whole message")
    parser.add_argument("--kill-at", default="", help="kill the client once the n-th message is taken: n,n,…")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
