"""The sender's side of a test: messages to send, and a log that keeps what it is told, in order."""

from collections.abc import Iterable

from engine.delivery import smtp

FROM = "rebotes@cadencia.example"
QUICK = smtp.Limits(connections=1, connect_timeout_s=1.0, command_timeout_s=0.6, dot_timeout_s=0.6, pause_s=0.05)


def message(slot: int, recipient: str = "", body: bytes = b"Hola.\r\n") -> smtp.OutgoingMessage:
    head = b"Message-ID: <m%d@cadencia.example>\r\nSubject: x\r\n\r\n" % slot
    return smtp.OutgoingMessage(slot, recipient or f"ana{slot}@example.com", head + body)


def messages(count: int) -> list[smtp.OutgoingMessage]:
    return [message(slot) for slot in range(count)]


def message_id(slot: int) -> str:
    return f"<m{slot}@cadencia.example>"


class Marks:
    """A flight recorder in memory; refuses what a real one could not make sense of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.answers: dict[int, tuple[int, bytes, int, int]] = {}

    def complete(self, slot: int) -> None:
        assert ("complete", slot) not in self.told, f"message {slot} was marked complete twice"
        self.told.append(("complete", slot))

    def answered(self, slot: int, code: int, reply: bytes, ms: int, phase: int) -> None:
        assert slot not in self.answers, f"message {slot} was answered twice"
        assert phase == 0 or ("complete", slot) not in self.told
        self.told.append(("answered", slot))
        self.answers[slot] = (code, reply, ms, phase)


def transport(url: str, limits: smtp.Limits = QUICK) -> smtp.Transport:
    return smtp.Transport(smtp.Relay.from_url(url), limits)


def send(
    url: str, batch: Iterable[smtp.OutgoingMessage], limits: smtp.Limits = QUICK
) -> tuple[dict[int, object], Marks]:
    """One batch over a transport of its own."""
    marks = Marks()
    carrier = transport(url, limits)
    try:
        return dict(carrier.send(batch, FROM, marks)), marks
    finally:
        carrier.close()
