"""Several relays as one way out: whose turn it is, who stands in when one fails, and what each may carry."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date

import pytest

from engine.delivery import smtp
from engine.delivery.outcomes import Deferred, InDoubt, Paced, Sent, Untried
from engine.delivery.relays import config, status
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.breaker import Breaker, Thresholds
from engine.delivery.relays.daily_quota import Calendar
from engine.delivery.relays.domain_limits import DomainLimits
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.relay import RelayChannel, SharedState
from engine.delivery.relays.shared_rate import Sender
from engine.delivery.relays.status import StatusBoard
from models import ids
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, Marks, message, messages
from tests.engine.delivery.smtp.servers import LOCK_STEP, PIPELINING, Drop, Rule, Server, Visit, usual

NOWHERE = "redis://127.0.0.1:9/0"
SIX = smtp.Limits(connections=6, pause_s=0.05)
DEAD = "smtp://127.0.0.1:9"


class Fleet:
    """Relays on real sockets; each test says which servers there are and what they do."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def server(self, rule: Rule = usual, **options: object) -> Server:
        return self._stack.enter_context(Server(rule, **options).running())  # type: ignore[arg-type]

    def channels(
        self, *urls: str, redis: str = NOWHERE, sent: int = 0, client: smtp.Limits = QUICK
    ) -> list[RelayChannel]:
        calendar = Calendar(lambda: date(2026, 3, 2), lambda _: sent)
        around = SharedState(Store(redis), Sender(ids.new().hex, 1), calendar)
        return [RelayChannel(each, around) for each in config.parse_relays(urls[0], " ".join(urls[1:]), client)]

    def relays(
        self,
        *urls: str,
        limits: DomainLimits | None = None,
        redis: str = NOWHERE,
        sent: int = 0,
        client: smtp.Limits = QUICK,
    ) -> Relays:
        channels = self.channels(*urls, redis=redis, sent=sent, client=client)
        one = Relays(channels, limits, StatusBoard(Store(redis), ids.new().hex))
        self._stack.callback(one.abort)
        return one


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack)


def send(relays: Relays, count: int = 1) -> list[object]:
    """One group, as the drain sends it."""
    if not relays.is_open:
        relays.open()
    return list(relays.send(messages(count), FROM, Marks()).values())


def arrived(*servers: Server) -> list[int]:
    return [len(server.accepted) for server in servers]


def after_the_rest(relays: Relays) -> None:
    time.sleep(max(0.0, relays.paused_until - time.monotonic()) + 0.01)


def test_one_relay_is_used_as_the_client_alone_would_be(fleet: Fleet) -> None:
    server = fleet.server()
    relays = fleet.relays(server.url)
    assert (relays.is_open, relays.may_take(250)) == (False, 250)
    assert all(isinstance(outcome, Sent) for outcome in send(relays, 5))
    assert (relays.is_open, relays.eight_bit, relays.smtputf8) == (True, True, True)
    relays.close()
    assert (relays.is_open, arrived(server)) == (False, [5])


@pytest.mark.parametrize(("weight", "expected"), [(1, [20, 20]), (3, [30, 10])])
def test_groups_are_shared_by_weight(fleet: Fleet, weight: int, expected: list[int]) -> None:
    first, second = fleet.server(), fleet.server()
    relays = fleet.relays(f"{first.url}?weight={weight}", second.url)
    for _ in range(40):
        send(relays)
    assert arrived(first, second) == expected


def test_weights_count_messages_and_not_groups(fleet: Fleet) -> None:
    first, second = fleet.server(), fleet.server()
    relays = fleet.relays(first.url, second.url)
    send(relays, 10)
    for _ in range(10):
        send(relays, 1)
    assert arrived(first, second) == [10, 10]


def refusing(event: str, reply: bytes | Drop) -> Rule:
    return lambda happening, _visit: reply if happening == event else None


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
def test_another_stands_in_when_one_cannot_be_opened(fleet: Fleet, event: str, reply: bytes | Drop) -> None:
    broken, works = fleet.server(refusing(event, reply)), fleet.server()
    relays = fleet.relays(broken.url, works.url)
    for _ in range(5):
        assert isinstance(send(relays)[0], Sent)
    assert arrived(broken, works) == [0, 5]
    assert len(broken.visits) <= 2  # and the broken one is left alone


def test_another_stands_in_when_nothing_listens(fleet: Fleet) -> None:
    works = fleet.server()
    relays = fleet.relays(DEAD, works.url)
    assert [isinstance(send(relays)[0], Sent) for _ in range(3)] == [True] * 3


def test_refused_credentials_open_the_breaker_at_once_and_fail_nobodys_mail(fleet: Fleet) -> None:
    wrong = fleet.server(refusing("AUTH", b"535 5.7.8 no"), features=(*PIPELINING, "AUTH PLAIN"))
    works = fleet.server()
    account = wrong.url.replace("smtp://", "smtp://user:word@") + "?starttls=optional&auth=plaintext"
    relays = fleet.relays(account, works.url)
    assert [isinstance(send(relays)[0], Sent) for _ in range(4)] == [True] * 4
    assert len(wrong.visits) == 1
    alone = fleet.relays(account)
    with pytest.raises(smtp.RelayUnavailable, match="it refused the credentials") as refused:
        alone.open()
    assert 25 < refused.value.retry_after_s <= 30
    assert (alone.may_take(100), alone.is_open) == (0, False)
    assert 25 < alone.paused_until - time.monotonic() <= 30


def test_when_none_can_be_had_the_soonest_time_is_told(fleet: Fleet) -> None:
    relays = fleet.relays(DEAD, DEAD.replace(":9", ":19"))
    with pytest.raises(smtp.RelayUnavailable, match="no connection") as refused:
        relays.open()
    assert 0 < refused.value.retry_after_s <= QUICK.pause_s
    assert relays.may_take(10) == 0
    with pytest.raises(smtp.RelayUnavailable, match="it failed a moment ago"):
        relays.open()


def test_a_relay_that_says_of_all_that_it_is_ill_is_left_for_another_and_used_again_when_well(fleet: Fleet) -> None:
    ill = [True]
    sick = fleet.server(lambda event, _visit: b"451 4.3.2 overloaded" if event == "RCPT" and ill[0] else None)
    works = fleet.server()
    channels = fleet.channels(sick.url, works.url)
    channels[0].breaker = Breaker(Thresholds(pause_s=0.2))
    relays = Relays(channels, None, StatusBoard(Store(NOWHERE), "x"))
    assert all(isinstance(outcome, Deferred) for outcome in send(relays, 30))
    assert channels[0].breaker.state == "open"
    assert all(isinstance(outcome, Sent) for _ in range(3) for outcome in send(relays, 30))
    assert arrived(sick, works) == [0, 90]
    ill[0] = False
    time.sleep(0.25)
    while not sick.accepted:
        assert relays.may_take(250) in (10, 250)  # ten to try with
        send(relays, 10)
    assert channels[0].breaker.state == "closed"
    relays.abort()


def test_refusals_of_recipients_say_nothing_of_the_relay(fleet: Fleet) -> None:
    server = fleet.server(lambda event, _visit: b"450 4.2.1 mailbox busy" if event == "RCPT" else None)
    relays = fleet.relays(server.url)
    for _ in range(5):
        send(relays, 20)
    assert relays.may_take(250) == 250


def test_a_relay_that_drops_every_message_is_left_for_another(fleet: Fleet) -> None:
    dropping, works = fleet.server(refusing("MAIL", Drop())), fleet.server()
    relays = fleet.relays(dropping.url, works.url)
    outcomes = [outcome for _ in range(6) for outcome in send(relays, 5)]
    assert {type(outcome) for outcome in outcomes} == {Sent, Untried}
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) >= 20
    assert arrived(dropping, works)[0] == 0


def test_a_lost_relay_comes_back_without_making_up_for_its_absence(fleet: Fleet) -> None:
    up = [False]
    first = fleet.server(lambda event, _visit: None if up[0] or event != "BANNER" else Drop())
    second = fleet.server()
    channels = fleet.channels(first.url, second.url)
    channels[0].breaker = Breaker(Thresholds(pause_s=0.1))
    relays = Relays(channels, None, StatusBoard(Store(NOWHERE), "x"))
    for _ in range(20):
        send(relays)
    up[0] = True
    time.sleep(0.2)
    for _ in range(20):
        send(relays)
    relays.abort()
    assert arrived(first, second)[0] in range(8, 12)  # half of those since, not twenty


def test_a_group_is_paced_to_the_rate(fleet: Fleet, broker: str) -> None:
    server = fleet.server()
    relays = fleet.relays(f"{server.url}?rate=50", redis=broker)
    start = time.monotonic()
    assert relays.may_take(250) == 50  # a second's worth
    assert all(isinstance(outcome, Sent) for outcome in send(relays, 50))
    assert 0.75 <= time.monotonic() - start <= 1.6  # fifty at 50/s, five of them in the burst


def test_a_slow_relay_does_not_hold_up_a_quick_one(fleet: Fleet, broker: str) -> None:
    slow, quick = fleet.server(), fleet.server()
    relays = fleet.relays(f"{slow.url}?rate=20", quick.url, redis=broker)
    start = time.monotonic()
    while time.monotonic() - start < 1.0:
        send(relays, relays.may_take(50))
    assert 10 <= arrived(slow, quick)[0] <= 24
    assert arrived(slow, quick)[1] > 200


def test_a_rate_too_slow_to_wait_for_takes_nothing_until_its_time(fleet: Fleet, broker: str) -> None:
    server = fleet.server()
    relays = fleet.relays(f"{server.url}?rate=20/m", redis=broker)
    assert relays.may_take(250) == 1
    send(relays)
    assert relays.may_take(250) == 0
    assert 2.0 < relays.paused_until - time.monotonic() <= 3.0


def test_at_the_ceiling_of_the_day_the_traffic_goes_to_another(fleet: Fleet, broker: str) -> None:
    warming, grown = fleet.server(), fleet.server()
    relays = fleet.relays(f"{warming.url}?warmup=2026-03-02,30", grown.url, redis=broker)
    taken = 0
    while taken < 100:
        limit = relays.may_take(20)
        taken += sum(isinstance(outcome, Sent) for outcome in send(relays, limit))
    assert arrived(warming, grown)[0] == 30
    assert sum(arrived(warming, grown)) == taken


def test_alone_at_its_ceiling_it_takes_none_but_urgent_mail(fleet: Fleet, broker: str) -> None:
    server = fleet.server()
    relays = fleet.relays(f"{server.url}?daily=30", redis=broker, sent=25)
    assert relays.may_take(250) == 5
    outcomes = send(relays, 8)  # more than was allowed: a drain that did not ask
    assert [type(outcome) for outcome in outcomes] == [Sent] * 5 + [Paced] * 3
    assert relays.may_take(250) == 0
    assert relays.may_take(250, is_urgent=True) > 0
    assert isinstance(send(relays)[0], Sent)


def test_messages_that_were_not_tried_do_not_count_against_the_day(fleet: Fleet, broker: str) -> None:
    up = [False]
    server = fleet.server(lambda event, _visit: None if up[0] or event != "MAIL" else Drop())
    relays = fleet.relays(f"{server.url}?daily=12", redis=broker)
    assert {type(outcome) for outcome in send(relays, 5)} == {Untried}
    up[0] = True
    if relays.may_take(1) == 0:
        after_the_rest(relays)
    sent = [outcome for outcome in send(relays, 20) if isinstance(outcome, Sent)]
    assert len(sent) == 12


def limited(redis: str, limit: str, who: str = "x") -> DomainLimits:
    return DomainLimits(config.parse_domain_limits(limit), Store(redis), Sender(who, 1))


def send_in_turn(relays: Relays, addresses: list[str]) -> dict[int, object]:
    """One group to these addresses, in the order that limits allow."""
    relays.open()
    send_order = relays.send_order(addresses, ())
    batch = (None if slot is None else message(slot, addresses[slot]) for slot in send_order)
    return dict(relays.send(batch, FROM, Marks()))


def test_messages_over_the_limit_of_their_domain_come_back_paced(fleet: Fleet, broker: str) -> None:
    server, name = fleet.server(), ids.new().hex
    relays = fleet.relays(server.url, limits=limited(broker, f"{name}.example?rate=2"), redis=broker)
    outcomes = send_in_turn(relays, [f"a{n}@{name if n < 10 else 'b'}.example" for n in range(20)])
    assert sorted(outcomes) == list(range(20))
    assert [slot for slot in range(20) if isinstance(outcomes[slot], Sent)] == [0, *range(10, 20)]
    assert all(isinstance(outcomes[slot], Paced) for slot in range(1, 10))


class Crowd:
    """A rule of a server that takes its time with each message, and counts how many it has at once by domain."""

    def __init__(self, takes_s: float) -> None:
        self.most: Counter[str] = Counter()
        self._takes_s = takes_s
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, event: str, visit: Visit) -> None:
        if event == "RCPT":
            self._count(visit.recipient, 1)
        elif event == "DOT":
            time.sleep(self._takes_s)
            self._count(visit.recipient, -1)

    def _count(self, recipient: str, by: int) -> None:
        domain = recipient.rpartition("@")[2]
        with self._lock:
            self._now[domain] += by
            self.most[domain] = max(self.most[domain], self._now[domain])


@pytest.mark.parametrize("features", [PIPELINING, LOCK_STEP], ids=["pipelined", "lock-step"])
def test_no_more_messages_to_a_domain_are_on_their_way_than_its_connections(
    fleet: Fleet, broker: str, features: tuple[str, ...]
) -> None:
    """Two processes with six connections each; two messages at once to the one domain, any number to the others."""
    crowd, name = Crowd(0.02), ids.new().hex
    server = fleet.server(crowd, features=features)
    around = [limited(broker, f"{name}.example?connections=2", who) for who in "ab"]
    both = [fleet.relays(server.url, limits=each, redis=broker, client=SIX) for each in around]
    addresses = [f"a{n}@{name if n % 2 else 'b'}.example" for n in range(120)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda relays: send_in_turn(relays, addresses), both))
    assert crowd.most[f"{name}.example"] == 2
    assert crowd.most["b.example"] > 4
    for outcomes in ended:
        assert sorted(outcomes) == list(range(120))
        assert all(isinstance(outcomes[n], Sent) for n in range(0, 120, 2))
        assert all(isinstance(outcomes[n], Sent | Paced) for n in range(1, 120, 2))
    assert sum(isinstance(outcomes[n], Sent) for outcomes in ended for n in range(1, 120, 2)) > 4


def test_messages_whose_connection_breaks_leave_no_connection_of_their_domain_behind(fleet: Fleet, broker: str) -> None:
    server, name = (
        fleet.server(lambda event, visit: Drop() if event == "DOT" and visit.message == 2 else None),
        ids.new().hex,
    )
    relays = fleet.relays(server.url, limits=limited(broker, f"{name}.example?connections=1"), redis=broker)
    ends: Counter[type] = Counter()
    for _ in range(5):
        after_the_rest(relays)
        ends.update(
            type(outcome) for outcome in send_in_turn(relays, [f"a{n}@{name}.example" for n in range(4)]).values()
        )
    assert ends[InDoubt] > 0 and ends[Sent] >= 5


def test_the_connections_of_a_relay_are_shared(fleet: Fleet, broker: str) -> None:
    server = fleet.server()
    limits = smtp.Limits(connections=8, pause_s=0.05)
    around = [SharedState(Store(broker), Sender(who, 1), Calendar(date.today, lambda _: 0)) for who in "ab"]
    one, two = (
        RelayChannel(config.parse_relays(f"{server.url}?connections=4", "", limits)[0], each) for each in around
    )
    open_now: list[int] = []
    for channel in (one, two, one, two):
        if channel._connections is not None:
            channel._connections._renew_at = 0.0  # as if a second had passed
        channel.open()
        channel.send(messages(40), FROM, Marks(), tick=None, is_urgent=False)
        open_now.append(len(channel.transport._pool.sessions))
    for channel in (one, two):
        channel.transport.close()
    assert open_now[0] == 4
    assert sum(open_now[2:]) <= 4


def test_what_each_process_sees_is_on_the_board(fleet: Fleet, broker: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = fleet.server(refusing("BANNER", b"554 5.7.1 user@host.example is not welcome"))
    works = fleet.server()
    relays = fleet.relays(wrong.url, works.url, redis=broker)
    for _ in range(8):
        send(relays)
        time.sleep(0.06)
    names = [url.removeprefix("smtp://") for url in (wrong.url, works.url)]
    seen = status.read(Store(broker))
    assert [(one.state, one.why) for one in seen[names[1]]] == [("closed", "")]
    (bad,) = seen[names[0]]
    assert bad.state == "open" and "it refused the connection" in bad.why and "host.example" not in bad.why
    told = [record.getMessage() for record in caplog.records if record.name == "cadencia.relays"]
    assert len(told) == 1 and told[0].startswith(f"relay_open relay={names[0]} why=")
    assert "host.example" not in told[0]
