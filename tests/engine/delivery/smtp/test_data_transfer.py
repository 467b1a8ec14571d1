"""Bodies on the wire: long ones, refused ones and interrupted ones, and when they are recorded as complete."""

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import Rejected, Sent, Untried
from tests.engine.delivery.smtp.dialogue import Answer, Drop, Visit, fault
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, message, message_id, messages, send, transport
from tests.engine.delivery.smtp.servers import Server

FOUR = smtp.Limits(connections=4, connect_timeout_s=2.0, command_timeout_s=2.0, dot_timeout_s=2.0)


def test_long_bodies_arrive_unchanged_when_the_server_reads_slowly() -> None:
    body = b".a line that starts with a dot\r\n..and one with two\r\n" * 60_000  # 3 MB
    big = [message(0, body=body), message(1), message(2, body=body)]
    with Server().running() as server:
        outcomes, log = send(server.url, big, FOUR)
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert {mail.message_id: mail.data for mail in server.accepted} == {
        message_id(sent.slot): sent.data for sent in big
    }
    assert len(log.calls) == 6


def test_rejection_in_the_middle_of_a_long_body_counts() -> None:
    def rule(event: str, visit: Visit) -> Answer:
        early = Drop(b"552 5.3.4 message too big\r\n")
        return early if event == "BODY" and visit.connection == 1 else None

    batch = [message(0, body=b"x" * 70 + b"\r\n" * 2_000_000), message(1)]
    with Server(rule).running() as server:
        outcomes, _ = send(server.url, batch)
    # A reset can overtake the reply. The message was then not complete, and a second connection sends it.
    assert isinstance(outcomes[0], Rejected | Sent)
    assert isinstance(outcomes[1], Sent)


def test_message_is_not_in_doubt_when_the_connection_breaks_before_its_dot_has_left() -> None:
    with Server(fault("BODY", Drop(reset=True))).running() as server:
        outcomes, log = send(server.url, [message(0, body=b"x" * 78 + b"\r\n" * 4_000_000)])
    assert isinstance(outcomes[0], Untried)
    assert log.calls == []
    assert len(server.connected_at) == 3


@pytest.mark.parametrize("last", [0, 1, 2])
def test_completion_is_recorded_before_the_write_that_carries_the_dot(last: int) -> None:
    """If completion cannot be recorded, the server gets no dot and accepts nothing more."""

    class Failing(MemoryLog):
        def complete(self, slot: int) -> None:
            super().complete(slot)
            if slot == last:
                raise OSError

    with Server().running() as server:
        client = transport(server.url)
        with pytest.raises(OSError):
            client.send(messages(3), FROM, Failing())
        server.wait_for_the_end()
    assert [mail.message_id for mail in server.accepted] == [message_id(slot) for slot in range(last)]
