"""Connections that break after any byte, in either direction: no message is lost or accepted twice."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Outcome, Sent
from tests.engine.delivery.smtp.dialogue import LOCK_STEP, PIPELINING
from tests.engine.delivery.smtp.senders_side import MemoryLog, message_id, messages, send
from tests.engine.delivery.smtp.servers import Server

COUNT = 3
SENT, RECEIVED = 600, 420  # more bytes than a whole dialogue of three messages has
LIMITS = smtp.Limits(connections=1, command_timeout_s=2.0, dot_timeout_s=2.0, pause_s=0.005)


class Cutter:
    """A proxy that passes a limited number of bytes each way on its first connection, then breaks it."""

    def __init__(self, port: int, *, sent: int | None = None, received: int | None = None) -> None:
        self.target = port
        self.budgets = (sent, received)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def running(self) -> Iterator["Cutter"]:
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                for end in (client, server):  # without it each dialogue waits 40 ms for a delayed ACK
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sent, received = self.budgets
                self.budgets = (None, None)
                threading.Thread(target=self._pass, args=(client, server, sent), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, received), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, budget: int | None) -> None:
        """Pass bytes until the budget is spent or one side closes, then close both sides."""
        with contextlib.suppress(OSError):
            while (budget is None or budget > 0) and (data := source.recv(65_536)):
                target.sendall(data[:budget])
                budget = None if budget is None else budget - len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def assert_all_accounted_for(outcomes: dict[int, Outcome], log: MemoryLog, server: Server) -> None:
    arrived = Counter(mail.message_id for mail in server.accepted)
    assert set(outcomes) == set(range(COUNT))
    for slot, outcome in outcomes.items():
        assert isinstance(outcome, Sent | InDoubt)  # one connection broke, the next one works
        assert arrived[message_id(slot)] == 1 or (isinstance(outcome, InDoubt) and not arrived[message_id(slot)])
        assert (slot in log.answers) == isinstance(outcome, Sent)
    assert sum(isinstance(outcome, InDoubt) for outcome in outcomes.values()) <= 1


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("start", range(8))
def test_every_message_has_an_outcome_when_what_we_send_is_cut(features: Sequence[str], start: int) -> None:
    for sent in range(start, SENT, 8 * 3):
        with Server(features=features, accepting=True).running() as server:
            with Cutter(server.port, sent=sent).running() as cutter:
                outcomes, log = send(f"smtp://127.0.0.1:{cutter.port}", messages(COUNT), LIMITS)
            assert_all_accounted_for(outcomes, log, server)


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("start", range(8))
def test_every_message_has_an_outcome_when_what_we_receive_is_cut(features: Sequence[str], start: int) -> None:
    for received in range(start, RECEIVED, 8 * 2):
        with Server(features=features, accepting=True).running() as server:
            with Cutter(server.port, received=received).running() as cutter:
                outcomes, log = send(f"smtp://127.0.0.1:{cutter.port}", messages(COUNT), LIMITS)
            assert_all_accounted_for(outcomes, log, server)
