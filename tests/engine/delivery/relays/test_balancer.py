"""The balancer: which relay carries a group, and which one takes over when it fails."""

import time

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import Deferred, Sent, Untried
from engine.delivery.relays.breaker import Breaker, Thresholds
from tests.engine.delivery.relays.network import NO_SERVER, Network, accepted, answering, send
from tests.engine.delivery.smtp.dialogue import PIPELINING, Drop
from tests.engine.delivery.smtp.senders_side import QUICK


def test_one_relay_is_used_like_the_client_alone(network: Network) -> None:
    server = network.server()
    relays = network.relays(server.url)
    assert (relays.is_open, relays.may_take(250)) == (False, 250)
    assert all(isinstance(outcome, Sent) for outcome in send(relays, 5))
    assert (relays.is_open, relays.eight_bit, relays.smtputf8) == (True, True, True)
    relays.close()
    assert (relays.is_open, accepted(server)) == (False, [5])


@pytest.mark.parametrize(("weight", "expected"), [(1, [20, 20]), (3, [30, 10])])
def test_groups_are_shared_by_weight(network: Network, weight: int, expected: list[int]) -> None:
    first, second = network.server(), network.server()
    relays = network.relays(f"{first.url}?weight={weight}", second.url)
    for _ in range(40):
        send(relays)
    assert accepted(first, second) == expected


def test_weights_count_messages_and_not_groups(network: Network) -> None:
    first, second = network.server(), network.server()
    relays = network.relays(first.url, second.url)
    send(relays, 10)
    for _ in range(10):
        send(relays, 1)
    assert accepted(first, second) == [10, 10]


@pytest.mark.parametrize(
    ("event", "reply"),
    [
        ("BANNER", b"421 4.3.2 too busy"),
        ("BANNER", b"554 5.7.1 you are listed"),
        ("EHLO", b"451 4.3.0 not now"),
        ("BANNER", Drop()),
    ],
    ids=["421", "554", "ehlo", "drop"],
)
def test_the_next_relay_is_used_when_one_cannot_be_opened(network: Network, event: str, reply: bytes | Drop) -> None:
    broken, works = network.server(answering(event, reply)), network.server()
    relays = network.relays(broken.url, works.url)
    for _ in range(5):
        assert isinstance(send(relays)[0], Sent)
    assert accepted(broken, works) == [0, 5]
    assert len(broken.visits) <= 2  # the back-off holds


def test_the_next_relay_is_used_when_nothing_listens(network: Network) -> None:
    works = network.server()
    relays = network.relays(NO_SERVER, works.url)
    assert [isinstance(send(relays)[0], Sent) for _ in range(3)] == [True] * 3


def test_refused_credentials_open_the_breaker_at_once_and_fail_no_message(network: Network) -> None:
    wrong = network.server(answering("AUTH", b"535 5.7.8 no"), features=(*PIPELINING, "AUTH PLAIN"))
    works = network.server()
    account = wrong.url.replace("smtp://", "smtp://user:word@") + "?starttls=optional&auth=plaintext"
    relays = network.relays(account, works.url)
    assert [isinstance(send(relays)[0], Sent) for _ in range(4)] == [True] * 4
    assert len(wrong.visits) == 1
    alone = network.relays(account)
    with pytest.raises(smtp.RelayUnavailable, match="it refused the credentials") as refused:
        alone.open()
    assert 25 < refused.value.retry_after_s <= 30
    assert (alone.may_take(100), alone.is_open) == (0, False)
    assert 25 < alone.paused_until - time.monotonic() <= 30


def test_the_earliest_retry_is_reported_when_no_relay_is_usable(network: Network) -> None:
    relays = network.relays(NO_SERVER, NO_SERVER.replace(":9", ":19"))
    with pytest.raises(smtp.RelayUnavailable, match="no connection") as refused:
        relays.open()
    assert 0 < refused.value.retry_after_s <= QUICK.pause_s
    assert relays.may_take(10) == 0
    with pytest.raises(smtp.RelayUnavailable, match="it failed a moment ago"):
        relays.open()


def test_an_overloaded_relay_is_replaced_and_used_again_when_it_works(network: Network) -> None:
    is_overloaded = True
    overloaded = network.server(
        lambda event, _visit: b"451 4.3.2 overloaded" if event == "RCPT" and is_overloaded else None
    )
    works = network.server()
    channels = network.channels(overloaded.url, works.url)
    channels[0].breaker = Breaker(Thresholds(pause_s=0.2))
    relays = network.balancer(channels)
    assert all(isinstance(outcome, Deferred) for outcome in send(relays, 30))
    assert channels[0].breaker.state == "open"
    assert isinstance(send(relays)[0], Sent)
    assert accepted(overloaded, works) == [0, 1]
    is_overloaded = False
    time.sleep(0.25)
    while not overloaded.accepted:
        assert relays.may_take(250) in (10, 250)  # ten messages in the half-open state
        send(relays, 10)
    assert channels[0].breaker.state == "closed"


def test_a_relay_that_drops_every_message_is_replaced(network: Network) -> None:
    dropping, works = network.server(answering("MAIL", Drop())), network.server()
    relays = network.relays(dropping.url, works.url)
    outcomes = [outcome for _ in range(6) for outcome in send(relays, 5)]
    assert {type(outcome) for outcome in outcomes} == {Sent, Untried}
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) >= 20
    assert accepted(dropping, works)[0] == 0


def test_a_relay_does_not_make_up_for_its_absence(network: Network) -> None:
    is_up = False
    first = network.server(lambda event, _visit: None if is_up or event != "BANNER" else Drop())
    second = network.server()
    channels = network.channels(first.url, second.url)
    channels[0].breaker = Breaker(Thresholds(pause_s=0.1))
    relays = network.balancer(channels)
    for _ in range(20):
        send(relays)
    is_up = True
    time.sleep(0.2)
    for _ in range(20):
        send(relays)
    assert accepted(first, second)[0] in range(8, 12)  # half of the last twenty
