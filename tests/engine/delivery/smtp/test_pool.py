"""Connections to one relay: reused, replaced, closed when idle, and opened rarely after failures."""

import time
from collections import Counter
from itertools import pairwise

from engine.delivery import smtp
from engine.delivery.outcomes import Sent, Untried
from tests.engine.delivery.smtp.dialogue import Answer, Drop, Visit, fault
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, messages, send, transport
from tests.engine.delivery.smtp.servers import Server

FOUR = smtp.Limits(connections=4, connect_timeout_s=2.0, command_timeout_s=2.0, dot_timeout_s=2.0)


def test_kept_connection_is_used_again_when_the_next_batch_comes() -> None:
    with Server().running() as server:
        client = transport(server.url)
        for _ in range(3):
            assert isinstance(client.send(messages(1), FROM, MemoryLog())[0], Sent)
        assert client.is_open
        client.close()
        assert not client.is_open
    assert len(server.connected_at) == 1
    assert server.commands[-1] == "QUIT"


def test_connection_is_replaced_when_the_server_closed_it_while_idle() -> None:
    with Server().running() as server:
        client = transport(server.url, smtp.Limits(connections=1))
        client.send(messages(1), FROM, MemoryLog())
        server.hang_up()
        server.wait_for_the_end()
        started = time.monotonic()
        outcomes = client.send(messages(1), FROM, MemoryLog())
        client.close()
    assert isinstance(outcomes[0], Sent)
    assert time.monotonic() - started < smtp.Limits().command_timeout_s / 2  # it did not wait for a reply
    assert len(server.connected_at) == 2


def test_idle_connection_is_closed_after_its_timeout() -> None:
    with Server().running() as server:
        for idle_s, is_open in ((60.0, True), (0.0, False)):
            client = transport(server.url, smtp.Limits(connections=1, idle_s=idle_s))
            client.send(messages(1), FROM, MemoryLog())
            client.close_if_idle()
            assert client.is_open is is_open
            client.close()
    assert [visit.commands[-1] for visit in server.visits] == ["QUIT", "QUIT"]


def test_connection_is_replaced_at_its_message_limit() -> None:
    with Server().running() as server:
        outcomes, _ = send(server.url, messages(7), smtp.Limits(connections=1, messages_per_connection=3))
    assert Counter(map(type, outcomes.values())) == {Sent: 7}
    assert [sum(c.startswith("MAIL") for c in visit.commands) for visit in server.visits] == [3, 3, 1]
    assert [visit.commands[-1] for visit in server.visits] == ["QUIT"] * 3


def test_two_connections_send_everything_when_the_server_accepts_no_more() -> None:
    def rule(event: str, visit: Visit) -> Answer:
        return Drop(b"421 4.7.0 too many connections\r\n") if event == "BANNER" and visit.connection > 2 else None

    with Server(rule).running() as server:
        outcomes, _ = send(server.url, messages(300), FOUR)
    assert Counter(map(type, outcomes.values())) == {Sent: 300}
    assert len(server.connected_at) <= 4


def test_connects_are_few_when_the_server_answers_everything_with_421() -> None:
    with Server(fault("MAIL", Drop(b"421 4.7.0 go away\r\n"))).running() as server:
        outcomes, log = send(server.url, messages(50), smtp.Limits(connections=1, pause_s=0.3))
        gaps = [after - before for before, after in pairwise(server.connected_at)]
    assert Counter(map(type, outcomes.values())) == {Untried: 50}
    assert log.calls == []
    assert [gap > pause for gap, pause in zip(gaps, (0.29, 0.59), strict=True)] == [True, True]
