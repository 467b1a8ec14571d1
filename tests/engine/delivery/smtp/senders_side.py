"""The sending side of a test: messages, a recorder in memory, and transports."""

from collections.abc import Iterable

from engine.delivery import outcomes, smtp
from engine.delivery.outcomes import Outcome

FROM = "rebotes@cadencia.example"
QUICK = smtp.Limits(connections=1, connect_timeout_s=1.0, command_timeout_s=0.6, dot_timeout_s=0.6, pause_s=0.05)


def message(slot: int, recipient: str = "", body: bytes = b"Hola.\r\n") -> smtp.OutgoingMessage:
    head = b"Message-ID: <m%d@cadencia.example>\r\nSubject: x\r\n\r\n" % slot
    return smtp.OutgoingMessage(slot, recipient or f"ana{slot}@example.com", head + body)


def messages(count: int) -> list[smtp.OutgoingMessage]:
    return [message(slot) for slot in range(count)]


def message_id(slot: int) -> str:
    return f"<m{slot}@cadencia.example>"


class MemoryLog:
    """A recorder in memory; refuses calls that a real one could not interpret."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.answers: dict[int, tuple[int, bytes, int, int]] = {}

    def complete(self, slot: int) -> None:
        assert ("complete", slot) not in self.calls, f"message {slot} was marked complete twice"
        self.calls.append(("complete", slot))

    def answered(self, slot: int, code: int, reply: bytes, ms: int, decision: int) -> None:
        assert slot not in self.answers, f"message {slot} was answered twice"
        outcome = outcomes.from_byte(decision, code, reply.decode(), ms)
        assert getattr(outcome, "phase", 0) == 0 or ("complete", slot) not in self.calls
        self.calls.append(("answered", slot))
        self.answers[slot] = (code, reply, ms, decision)


def transport(url: str, limits: smtp.Limits = QUICK) -> smtp.Transport:
    return smtp.Transport(smtp.Relay.from_url(url), limits)


def send(
    url: str, batch: Iterable[smtp.OutgoingMessage], limits: smtp.Limits = QUICK
) -> tuple[dict[int, Outcome], MemoryLog]:
    """Send one batch over a new transport."""
    log = MemoryLog()
    client = transport(url, limits)
    try:
        return dict(client.send(batch, FROM, log)), log
    finally:
        client.close()
