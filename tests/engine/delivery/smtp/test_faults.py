"""Random faults of the server: no message is lost or accepted twice."""

import random
import socket
import time
from collections import Counter

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Outcome, Rejected, Sent, Untried
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING, Answer, Drop, Visit
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, message_id, messages, send, transport
from tests.engine.delivery.smtp.servers import Server

COUNT = 120
EVENTS = ("BANNER", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "RSET")


class RandomFaults:
    """A rule that answers about one event in twelve with a random fault."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.count = 0

    def __call__(self, event: str, _visit: Visit) -> Answer:
        if event not in EVENTS or self._random.random() > 1 / 12:
            return None
        self.count += 1
        faults: list[Answer] = [Drop(), Drop(reset=True), Drop(b"421 4.3.2 closing\r\n"), b"what?"]
        if event in ("MAIL", "RCPT", "DATA", "DOT"):
            faults += [b"451 4.3.0 later"] * 4 + [b"550 5.7.1 no"] * 4
        return self._random.choice(faults) if event != "BODY" else self._random.choice(faults[:2])


@pytest.mark.parametrize("seed", range(8))
def test_outcomes_and_server_agree_when_faults_are_random(seed: int) -> None:
    faults_at_random = RandomFaults(seed)
    features = LOCK_STEP if seed % 2 else PIPELINING
    limits = smtp.Limits(connections=3, messages_per_connection=25, pause_s=0.01)
    with Server(faults_at_random, features=features, accepting=True, coalesce=seed % 3 == 0).running() as server:
        outcomes, log = _in_batches(server.url, limits)
    assert set(outcomes) == set(range(COUNT))
    assert faults_at_random.count > 3
    arrived = Counter(mail.message_id for mail in server.accepted)
    assert max(arrived.values(), default=1) == 1
    for slot, outcome in outcomes.items():
        if isinstance(outcome, Sent):
            assert arrived[message_id(slot)] == 1
        elif message_id(slot) in arrived:
            # `accepting` counts a message before its reply, so a message refused after its dot is counted, too.
            assert isinstance(outcome, InDoubt) or log.answers[slot][0] >= 400
        assert (slot in log.answers) != isinstance(outcome, InDoubt | Untried)


def _in_batches(url: str, limits: smtp.Limits) -> tuple[dict[int, Outcome], MemoryLog]:
    """Send all messages as workers do: messages left untried when the relay failed go into the next batch."""
    outcomes: dict[int, Outcome] = {}
    client, log = transport(url, limits), MemoryLog()
    rest, end = messages(COUNT), time.monotonic() + 10
    while rest and time.monotonic() < end:
        outcomes |= client.send(rest, FROM, log)
        begun = {slot for mark, slot in log.calls if mark == "complete"}
        rest = [each for each in rest if isinstance(outcomes.get(each.slot), Untried | None) and each.slot not in begun]
        time.sleep(limits.pause_s if rest else 0)
    client.close()
    return outcomes, log


class Sink:
    """Handlers of an aiosmtpd server that keep every accepted message and refuse one unknown user."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []

    async def handle_RCPT(  # noqa: N802  # the name is aiosmtpd's
        self, _server: object, _session: object, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nadie"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802  # the name is aiosmtpd's
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        assert envelope.original_content is not None
        self.mails.append((envelope.rcpt_tos[0], envelope.original_content))
        return "250 2.0.0 Ok"


def test_another_server_accepts_what_we_send() -> None:
    sink = Sink()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        batch = messages(200)
        batch[50] = smtp.OutgoingMessage(50, "nadie@example.com", batch[50].data)
        outcomes, _ = send(f"smtp://127.0.0.1:{port}", batch, smtp.Limits())
    finally:
        controller.stop()
    assert Counter(map(type, outcomes.values())) == {Sent: 199, Rejected: 1}
    assert outcomes[50].dead_address
    assert sorted(sink.mails) == sorted((sent.recipient, sent.data) for sent in batch if sent.slot != 50)
