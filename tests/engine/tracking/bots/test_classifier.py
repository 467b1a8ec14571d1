"""Classification depends on the set of an e-mail's hits, and speed alone makes no hit a machine's."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engine.tracking.bots import classifier
from engine.tracking.bots.hits import Hit, bucket, is_hit
from models import ids

SENT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def hit(after_s: float, kind: str = "clicked", **data: Any) -> Hit:
    observed = {"method": "GET", "agent": CHROME, "network": "other", "prefix": "a" * 16, **data}
    if kind == "clicked":
        observed.setdefault("link", 0)
    return Hit.of(ids.new(), kind, SENT + timedelta(seconds=after_s), observed)


def sources(*hits: Hit, bursts: dict[tuple[str, int], int] | None = None) -> list[str]:
    return [each.source for each in classifier.classify(hits, sent_at=SENT, bursts=bursts or {})]


@pytest.mark.parametrize(
    ("one", "source"),
    [
        (hit(4), "unknown"),
        (hit(0.5), "unknown"),
        (hit(600), "human"),
        (hit(600, method="HEAD"), "machine"),
        (hit(600, purpose="prefetch"), "machine"),
        (hit(600, agent="curl/8.5.0"), "machine"),
        (hit(600, agent=""), "unknown"),
        (hit(5, agent=""), "machine"),
        (hit(600, "opened", agent="Mozilla/5.0"), "machine"),
        (hit(600, "opened", agent=GMAIL, network="google"), "human"),
        (hit(5, "opened", agent=GMAIL, network="google"), "unknown"),
        (hit(600, link=65_535), "machine"),
    ],
)
def test_a_single_hit_is_classified_by_its_request_and_speed(one: Hit, source: str) -> None:
    assert sources(one) == [source]


def test_many_links_followed_within_a_second_are_a_machines() -> None:
    assert sources(*(hit(60 + link / 5, link=link) for link in range(4))) == ["machine"] * 4
    assert sources(*(hit(60 + link / 5, link=link) for link in range(3))) == ["unknown"] * 3
    assert sources(*(hit(5 + link / 5, link=link) for link in range(3))) == ["machine"] * 3
    assert sources(hit(60), hit(60.4)) == ["human"] * 2


def test_a_burst_is_of_one_prefix_and_ten_seconds() -> None:
    one = hit(5)
    burst = {(one.prefix, bucket(one.at)): 25}
    assert sources(one, bursts=burst) == ["machine"]
    assert sources(hit(25), bursts=burst) == ["unknown"]


def test_an_event_is_a_hit_if_its_request_was_observed() -> None:
    assert is_hit("clicked", {"link": 0, "method": "GET"})
    assert not is_hit("clicked", {"link": 0})
    assert not is_hit("converted", {"method": "GET"})
    assert Hit.of(UUID(int=1), "opened", SENT, {"method": "GET"}).network == "other"


def test_the_hidden_link_affects_only_hits_of_the_same_agent_or_prefix_near_it() -> None:
    hits = [hit(40, link=65_535), hit(42), hit(50, prefix="b" * 16), hit(400, prefix="c" * 16), hit(3_000)]
    assert sources(*hits) == ["machine", "machine", "machine", "human", "human"]


def test_rules_about_speed_need_the_time_of_sending() -> None:
    [classification] = classifier.classify([hit(1)], sent_at=None, bursts={})
    assert (classification.source, classification.reasons) == ("unknown", ())


def test_an_email_with_many_hits_is_classified_the_same_in_any_order() -> None:
    many = [hit(30 + number * 2, "opened") for number in range(400)]
    by_id = {each.id: each for each in classifier.classify(many, sent_at=SENT, bursts={})}
    again = classifier.classify(many[::-1] + many[:50], sent_at=SENT, bursts={})
    assert all(by_id[each.id] == each for each in again) and len(by_id) == 400


def test_after_the_first_hundred_a_hit_is_classified_alone() -> None:
    many = [hit(4_000 + number) for number in range(100)]
    late = [hit(5_000 + number / 10, link=number) for number in range(4)]
    assert sources(*many[:96], *late)[-4:] == ["machine"] * 4
    assert sources(*many, *late)[-4:] == ["human"] * 4
