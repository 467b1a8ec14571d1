"""One relay within its limits: rate, daily limit, and connections shared with other senders."""

import time

from engine.delivery import smtp
from engine.delivery.outcomes import Paced, Sent, Untried
from engine.delivery.relays import config
from engine.delivery.relays.daily_quota import Calendar
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.relay import RelayChannel, SharedState
from engine.delivery.relays.shared_rate import Sender
from tests.engine.delivery.relays.network import DAY, Network, accepted, send, wait_until_usable
from tests.engine.delivery.smtp.dialogue import Drop
from tests.engine.delivery.smtp.senders_side import FROM, MemoryLog, messages


def test_refusals_of_recipients_do_not_count_against_the_relay(network: Network) -> None:
    server = network.server(lambda event, _visit: b"450 4.2.1 mailbox busy" if event == "RCPT" else None)
    relays = network.relays(server.url)
    for _ in range(5):
        send(relays, 20)
    assert relays.may_take(250) == 250


def test_a_group_is_limited_to_the_rate(network: Network, broker: str) -> None:
    server = network.server()
    relays = network.relays(f"{server.url}?rate=50", redis=broker)
    start = time.monotonic()
    assert relays.may_take(250) == 50  # one second of the rate
    assert all(isinstance(outcome, Sent) for outcome in send(relays, 50))
    assert 0.75 <= time.monotonic() - start <= 1.6  # fifty at 50/s, five of them in the burst


def test_a_slow_relay_does_not_delay_a_fast_one(network: Network, broker: str) -> None:
    slow, fast = network.server(), network.server()
    relays = network.relays(f"{slow.url}?rate=20", fast.url, redis=broker)
    start = time.monotonic()
    while time.monotonic() - start < 1.0:
        send(relays, relays.may_take(50))
    assert 10 <= accepted(slow, fast)[0] <= 24
    assert accepted(slow, fast)[1] > 200


def test_a_relay_with_a_slow_rate_takes_nothing_until_its_next_permit(network: Network, broker: str) -> None:
    server = network.server()
    relays = network.relays(f"{server.url}?rate=20/m", redis=broker)
    assert relays.may_take(250) == 1
    send(relays)
    assert relays.may_take(250) == 0
    assert 2.0 < relays.paused_until - time.monotonic() <= 3.0


def test_messages_go_over_another_relay_at_the_daily_limit(network: Network, broker: str) -> None:
    warming_up, other = network.server(), network.server()
    relays = network.relays(f"{warming_up.url}?warmup={DAY},30", other.url, redis=broker)
    sent = 0
    while sent < 100:
        limit = relays.may_take(20)
        sent += sum(isinstance(outcome, Sent) for outcome in send(relays, limit))
    assert accepted(warming_up, other)[0] == 30
    assert sum(accepted(warming_up, other)) == sent


def test_a_single_relay_at_its_daily_limit_takes_only_urgent_messages(network: Network, broker: str) -> None:
    server = network.server()
    relays = network.relays(f"{server.url}?daily=30", redis=broker, sent=25)
    assert relays.may_take(250) == 5
    outcomes = send(relays, 8)  # more than `may_take` allowed
    assert [type(outcome) for outcome in outcomes] == [Sent] * 5 + [Paced] * 3
    assert relays.may_take(250) == 0
    assert relays.may_take(250, is_urgent=True) > 0
    assert isinstance(send(relays)[0], Sent)


def test_untried_messages_do_not_count_against_the_daily_limit(network: Network, broker: str) -> None:
    is_up = False
    server = network.server(lambda event, _visit: None if is_up or event != "MAIL" else Drop())
    relays = network.relays(f"{server.url}?daily=12", redis=broker)
    assert {type(outcome) for outcome in send(relays, 5)} == {Untried}
    is_up = True
    if relays.may_take(1) == 0:
        wait_until_usable(relays)
    sent = [outcome for outcome in send(relays, 20) if isinstance(outcome, Sent)]
    assert len(sent) == 12


def test_the_connections_of_a_relay_are_shared_by_its_senders(network: Network, broker: str) -> None:
    server, limit = network.server(), 4
    (relay,) = config.parse_relays(f"{server.url}?connections={limit}", "", smtp.Limits(connections=8, pause_s=0.05))
    calendar = Calendar(lambda: DAY, lambda _: 0)
    senders = [RelayChannel(relay, SharedState(Store(broker), Sender(name, 1), calendar)) for name in "ab"]
    open_now: list[int] = []
    for channel in senders * 2:
        if channel._connections is not None:
            channel._connections._renew_at = 0.0  # as if a second had passed
        channel.open()
        channel.send(messages(40), FROM, MemoryLog(), tick=None, is_urgent=False)
        open_now.append(len(channel.transport._pool.sessions))
    for channel in senders:
        channel.transport.close()
    assert open_now[0] == limit
    assert sum(open_now[2:]) <= limit
