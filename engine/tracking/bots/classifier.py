"""Classify all hits of one e-mail. The result depends on the set of hits, not on their order of arrival."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from engine.tracking.bots import rules, traits
from engine.tracking.bots.hits import Classification, Hit, bucket
from engine.tracking.bots.neighbours import Neighbours
from engine.tracking.bots.rules import Rule

NEIGHBOURS_MAX = 100  # the first so many hits of an e-mail are compared with each other; later ones stand alone

Bursts = Mapping[tuple[str, int], int]


def classify(hits: Sequence[Hit], *, sent_at: datetime | None, bursts: Bursts) -> list[Classification]:
    """Return the classification of each hit of one e-mail, in the same order.

    `sent_at` is when the relay accepted the e-mail; without it the rules about speed do not apply. `bursts` maps a
    prefix and a `bucket` to the number of e-mails hit there; an absent place has no burst.
    """
    first = _first(hits)
    neighbours = Neighbours(first.values()) if len(first) > 1 else None
    return [_classify(hit, neighbours if hit.id in first else None, sent_at, bursts) for hit in hits]


def _first(hits: Sequence[Hit]) -> Mapping[UUID, Hit]:
    """Return the earliest hits by id. The bound keeps the cost constant for a pixel that is loaded all day."""
    unique = {hit.id: hit for hit in hits}
    if len(unique) <= NEIGHBOURS_MAX:
        return unique
    earliest = sorted(unique.values(), key=lambda hit: (hit.at, hit.id))[:NEIGHBOURS_MAX]
    return {hit.id: hit for hit in earliest}


def _classify(hit: Hit, neighbours: Neighbours | None, sent_at: datetime | None, bursts: Bursts) -> Classification:
    return Classification(hit.id, *_sum((*_matching(hit, neighbours, sent_at, bursts),)))


def _matching(hit: Hit, neighbours: Neighbours | None, sent_at: datetime | None, bursts: Bursts) -> Iterator[Rule]:
    own = traits.of(hit)
    yield from own.rules
    if sent_at is not None:
        yield from _speed(hit, own, (hit.at - sent_at).total_seconds())
    if hit.prefix and not own.is_shared and bursts.get((hit.prefix, bucket(hit.at)), 0) >= rules.BURST_EMAILS:
        yield rules.BURST
    if neighbours is not None:
        yield from neighbours.rules_of(hit)


def _speed(hit: Hit, own: traits.Traits, seconds: float) -> Iterator[Rule]:
    if seconds <= rules.FAST_S:
        yield rules.FAST
        if seconds <= rules.AT_ONCE_S and hit.kind == "clicked":
            yield rules.AT_ONCE
    elif seconds >= rules.LATER_S:
        if own.is_proxy and hit.kind == "opened":
            yield rules.IMAGE_PROXY
        elif own.is_personal:
            yield rules.LATER


@lru_cache(maxsize=4_096)
def _sum(matching: tuple[Rule, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the source of a hit to which these rules apply, and their names."""
    machine = round(sum(rule.weight for rule in matching if rule.says == "machine"), 3)
    human = sum(rule.weight for rule in matching if rule.says == "human")
    if machine >= rules.MACHINE_FROM:
        source = "machine"
    else:
        source = "human" if round(human - machine, 3) >= rules.HUMAN_FROM else "unknown"
    return source, tuple(rule.name for rule in matching)
