"""Verdicts are a function of the set of a mail's hits, and speed alone makes nobody a machine."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engine.tracking import bots
from models import ids

SENT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def hit(after_s: float, kind: str = "clicked", **data: Any) -> bots.Hit:
    told = {"method": "GET", "agent": CHROME, "network": "other", "prefix": "a" * 16, **data}
    if kind == "clicked":
        told.setdefault("link", 0)
    return bots.Hit.of(ids.new(), kind, SENT + timedelta(seconds=after_s), told)


def judged(*hits: bots.Hit, crowds: dict[tuple[str, int], int] | None = None) -> list[str]:
    return [verdict.source for verdict in bots.judge(hits, sent_at=SENT, crowds=crowds or {})]


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
def test_a_hit_alone_is_judged_by_what_it_says(one: bots.Hit, source: str) -> None:
    assert judged(one) == [source]


def test_links_followed_at_once_are_a_machines() -> None:
    assert judged(*(hit(60 + link / 5, link=link) for link in range(4))) == ["machine"] * 4
    assert judged(*(hit(60 + link / 5, link=link) for link in range(3))) == ["unknown"] * 3
    assert judged(*(hit(5 + link / 5, link=link) for link in range(3))) == ["machine"] * 3
    assert judged(hit(60), hit(60.4)) == ["human"] * 2


def test_a_crowd_is_known_by_its_prefix_and_ten_seconds() -> None:
    one = hit(5)
    crowd = {(one.prefix, bots.bucket(one.at)): 25}
    assert judged(one, crowds=crowd) == ["machine"]
    assert judged(hit(25), crowds=crowd) == ["unknown"]


def test_what_a_row_holds_is_a_hit_when_the_request_was_seen() -> None:
    assert bots.is_hit("clicked", {"link": 0, "method": "GET"})
    assert not bots.is_hit("clicked", {"link": 0})
    assert not bots.is_hit("converted", {"method": "GET"})
    assert bots.Hit.of(UUID(int=1), "opened", SENT, {"method": "GET"}).network == "other"


def test_a_hidden_link_tells_on_its_caller_alone() -> None:
    caught = [hit(40, link=65_535), hit(42), hit(50, prefix="b" * 16), hit(400, prefix="c" * 16), hit(3_000)]
    assert judged(*caught) == ["machine", "machine", "machine", "human", "human"]


def test_nothing_is_said_of_speed_when_the_sending_is_not_known() -> None:
    [verdict] = bots.judge([hit(1)], sent_at=None, crowds={})
    assert (verdict.source, verdict.reasons) == ("unknown", ())


def test_a_mail_with_very_many_hits_is_judged_by_its_first_whatever_their_order() -> None:
    many = [hit(30 + number * 2, "opened") for number in range(400)]
    told = {verdict.id: verdict for verdict in bots.judge(many, sent_at=SENT, crowds={})}
    again = bots.judge(many[::-1] + many[:50], sent_at=SENT, crowds={})
    assert all(told[verdict.id] == verdict for verdict in again) and len(told) == 400


def test_beyond_the_first_hundred_a_hit_is_judged_alone() -> None:
    many = [hit(4_000 + number) for number in range(100)]
    late = [hit(5_000 + number / 10, link=number) for number in range(4)]
    assert judged(*many[:96], *late)[-4:] == ["machine"] * 4
    assert judged(*many, *late)[-4:] == ["human"] * 4
