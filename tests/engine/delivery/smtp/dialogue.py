"""The dialogue of a scriptable SMTP server with a client: every reply can be replaced, delayed, split or withheld."""

import re
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

PIPELINING = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 50000000")
LOCK_STEP = ("8BITMIME", "SIZE 50000000")


class Drop:
    """Close the connection here, with a reset if requested, after sending `words`."""

    def __init__(self, words: bytes = b"", *, reset: bool = False) -> None:
        self.words = words
        self.reset = reset


class Hang:
    """Send nothing more on this connection, and keep it open."""


@dataclass
class Visit:
    """The state of a connection when a rule is called."""

    connection: int  # 1 for the first
    message: int = 0  # on this connection, 1 for the first
    recipient: str = ""
    name: str = ""  # the argument of EHLO
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Mail:
    """A message that the server accepted, or would have accepted without a fault."""

    recipient: str
    data: bytes

    @property
    def message_id(self) -> str:
        match = re.search(rb"(?im)^message-id: *(\S+)", self.data)
        return match.group(1).decode() if match else ""


# A rule is called with the event (BANNER, EHLO, MAIL, RCPT, DATA, BODY, DOT, …) and returns the answer, None for the
# usual reply. With `accepting`, the message counts as accepted at DOT whatever the rule returns.
Answer = bytes | Drop | Hang | None
Rule = Callable[[str, Visit], Answer]


def usual(event: str, visit: Visit) -> None:
    """Return None, for the usual reply to every event."""


def fault(event: str, answer: Answer, *, message: int | None = None, connection: int | None = None) -> Rule:
    """Return a rule with one fault: at this event, of this message, on this connection."""

    def rule(current: str, visit: Visit) -> Answer:
        matches = current == event and message in (None, visit.message) and connection in (None, visit.connection)
        return answer if matches else None

    return rule


@dataclass
class Behaviour:
    """The replies of a server: its rule, its extensions, its way of writing; and the accepted messages, in order."""

    rule: Rule = usual
    features: Sequence[str] = PIPELINING
    accepting: bool = False  # a message counts as accepted even if the rule then drops or hangs
    drip: bool = False
    coalesce: bool = False
    context: ssl.SSLContext | None = None
    accepted: list[Mail] = field(default_factory=list)


class Over(Exception):
    """The dialogue has ended."""


class Dialogue:
    """One dialogue; `run` ends by Over, or by an OSError of the socket."""

    def __init__(self, behaviour: Behaviour, connection: socket.socket, visit: Visit) -> None:
        self.behaviour = behaviour
        self.connection = connection
        self.visit = visit
        self.lines: deque[bytes] = deque()
        self.rest = b""
        self.unsent = b""
        self.has_sender = False
        self.recipients: list[str] = []

    def run(self) -> None:
        self.say("BANNER", b"220 mx.example.com ESMTP")
        while True:
            line = self.line()
            self.visit.commands.append(line.split(b" ")[0].upper().decode("ascii", "replace"))
            verb = self.visit.commands[-1]
            handler = getattr(self, f"on_{verb.lower()}", None)
            if verb == "MAIL" and self.has_sender:  # as the standard requires, and real servers do
                self.say("NESTED", b"503 5.5.1 nested MAIL command")
            elif handler is None:
                self.say(verb, b"502 5.5.1 command not implemented")
            else:
                handler(line.decode("utf-8", "replace"))

    def on_ehlo(self, line: str) -> None:
        self.visit.name = line.partition(" ")[2]
        lines = ["mx.example.com", *self.behaviour.features]
        parts = [f"250-{part}" for part in lines[:-1]] + [f"250 {lines[-1]}"]
        self.say("EHLO", "\r\n".join(parts).encode())

    on_lhlo = on_ehlo

    def on_helo(self, _line: str) -> None:
        self.say("HELO", b"250 mx.example.com")

    def on_starttls(self, _line: str) -> None:
        self.say("STARTTLS", b"220 2.0.0 go ahead")
        assert self.behaviour.context is not None
        self.flush()
        self.connection = self.behaviour.context.wrap_socket(self.connection, server_side=True)

    def on_auth(self, line: str) -> None:
        words = line.split()
        self.visit.commands[-1] = line  # so that a test can read it
        if words[1] == "LOGIN":
            for prompt in (b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6"):
                self.say("PROMPT", prompt)
                self.visit.commands.append(self.line().decode())
        self.say("AUTH", b"235 2.7.0 welcome")

    def on_mail(self, line: str) -> None:
        self.visit.message += 1
        self.recipients = []
        self.visit.commands[-1] = line
        self.has_sender = self.say("MAIL", b"250 2.1.0 Ok")[:1] == b"2"

    def on_rcpt(self, line: str) -> None:
        self.visit.recipient = line.partition("<")[2].partition(">")[0]
        self.visit.commands[-1] = line
        usual_reply = b"250 2.1.5 Ok" if self.has_sender else b"503 5.5.1 MAIL first"
        if self.say("RCPT", usual_reply)[:1] == b"2":
            self.recipients.append(self.visit.recipient)

    def on_data(self, _line: str) -> None:
        usual_reply = b"354 go ahead" if self.recipients else b"554 5.5.1 no valid recipients"
        if self.say("DATA", usual_reply)[:3] != b"354":
            return
        data = self.body()
        mail = Mail(self.visit.recipient, data)
        if self.behaviour.accepting:
            self.behaviour.accepted.append(mail)
        if not self.recipients:
            self.visit.commands.append(f"EMPTY {len(data)}")
        reply = self.say("DOT", b"250 2.0.0 Ok: queued as %d" % len(self.behaviour.accepted), keep=mail)
        assert reply
        self.recipients, self.has_sender = [], False

    def on_rset(self, _line: str) -> None:
        self.recipients, self.has_sender = [], False
        self.say("RSET", b"250 2.0.0 Ok")

    def on_quit(self, _line: str) -> None:
        self.say("QUIT", b"221 2.0.0 Bye")
        self.flush()
        raise Over

    def body(self) -> bytes:
        lines: list[bytes] = []
        is_reported = False
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
            if not is_reported and lines[-1] == b"":
                is_reported = True
                self.say("BODY", b"")
        return b"".join(line + b"\r\n" for line in lines)

    def say(self, event: str, usual_reply: bytes, keep: Mail | None = None) -> bytes:
        answer = self.behaviour.rule(event, self.visit)
        if isinstance(answer, Drop):
            self.send(answer.words)
            self.flush()
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Over
        if isinstance(answer, Hang):
            self.flush()
            while self.connection.recv(65_536):
                pass
            raise Over
        reply = usual_reply if answer is None else answer
        if keep is not None and not self.behaviour.accepting and reply[:1] == b"2":
            self.behaviour.accepted.append(keep)
        if reply:
            self.send(reply + b"\r\n")
        return reply

    def send(self, data: bytes) -> None:
        self.unsent += data
        if not self.behaviour.coalesce:
            self.flush()

    def flush(self) -> None:
        data, self.unsent = self.unsent, b""
        if not self.behaviour.drip:
            self.connection.sendall(data)
            return
        for byte in data:
            self.connection.sendall(bytes([byte]))
            time.sleep(0.0002)

    def line(self) -> bytes:
        while not self.lines:
            self.flush()
            data = self.connection.recv(65_536)
            if not data:
                raise Over
            *lines, self.rest = (self.rest + data).split(b"\r\n")
            self.lines.extend(lines)
        return self.lines.popleft()
