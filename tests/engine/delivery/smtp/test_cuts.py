"""A line that is cut at any byte, in either direction: nothing is lost, nothing arrives twice."""

import contextlib
import socket
import threading
from collections import Counter

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import InDoubt, Sent
from tests.engine.delivery.smtp.senders_side import message_id, messages, send
from tests.engine.delivery.smtp.servers import LOCK_STEP, PIPELINING, Server

COUNT = 3
SAID, HEARD = 600, 420  # bytes of a whole dialogue of three messages, and a few more
LIMITS = smtp.Limits(connections=1, command_timeout_s=2.0, dot_timeout_s=2.0, pause_s=0.005)


class Cutter:
    """Passes bytes between a client and a server, on the first connection only so many of them each way."""

    def __init__(self, port: int, *, said: int | None = None, heard: int | None = None) -> None:
        self.target = port
        self.budgets = (said, heard)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def running(self):
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                said, heard = self.budgets
                self.budgets = (None, None)
                threading.Thread(target=self._pass, args=(client, server, said), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, heard), daemon=True).start()

    def _pass(self, source, target, budget):
        """Until the budget is spent or either side ends; then both sides are cut."""
        with contextlib.suppress(OSError):
            while (budget is None or budget > 0) and (data := source.recv(65_536)):
                target.sendall(data[:budget])
                budget = None if budget is None else budget - len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def assert_all_accounted_for(outcomes, marks, server):
    arrived = Counter(mail.message_id for mail in server.accepted)
    assert set(outcomes) == set(range(COUNT))
    for slot, outcome in outcomes.items():
        assert isinstance(outcome, Sent | InDoubt)  # one connection was cut, the next one is whole
        assert arrived[message_id(slot)] == 1 or (isinstance(outcome, InDoubt) and not arrived[message_id(slot)])
        assert (slot in marks.answers) == isinstance(outcome, Sent)
    assert sum(isinstance(outcome, InDoubt) for outcome in outcomes.values()) <= 1


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("start", range(8))
def test_every_message_is_accounted_for_when_what_we_say_is_cut(features, start):
    for said in range(start, SAID, 8 * 3):
        with Server(features=features, accepting=True).running() as server:
            with Cutter(server.port, said=said).running() as cutter:
                outcomes, marks = send(f"smtp://127.0.0.1:{cutter.port}", messages(COUNT), LIMITS)
            assert_all_accounted_for(outcomes, marks, server)


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("start", range(8))
def test_every_message_is_accounted_for_when_what_we_hear_is_cut(features, start):
    for heard in range(start, HEARD, 8 * 2):
        with Server(features=features, accepting=True).running() as server:
            with Cutter(server.port, heard=heard).running() as cutter:
                outcomes, marks = send(f"smtp://127.0.0.1:{cutter.port}", messages(COUNT), LIMITS)
            assert_all_accounted_for(outcomes, marks, server)
