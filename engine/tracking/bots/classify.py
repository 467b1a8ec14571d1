"""The verdict on every hit of one mail: a function of the set of its hits, in whatever order they came."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from engine.tracking.bots import rules, traits
from engine.tracking.bots.hits import Hit, Verdict, bucket
from engine.tracking.bots.neighbours import Company
from engine.tracking.bots.rules import Rule

COMPANY_MAX = 100  # so many hits of a mail are held against each other, the earliest; later ones are judged alone

Crowds = Mapping[tuple[str, int], int]


def judge(hits: Sequence[Hit], *, sent_at: datetime | None, crowds: Crowds) -> list[Verdict]:
    """A verdict on each of the hits of one mail, in the order given.

    `sent_at` is when the relay accepted the mail; without it nothing is said about speed. `crowds` counts the different
    mails that were hit from a prefix in a `bucket`; a place that is absent has no crowd.
    """
    together = _first(hits)
    company = Company(together.values()) if len(together) > 1 else None
    return [_verdict(hit, company if hit.id in together else None, sent_at, crowds) for hit in hits]


def _first(hits: Sequence[Hit]) -> Mapping[UUID, Hit]:
    """The earliest hits: whoever asks for one pixel all day must not make its mail ever dearer to judge."""
    unique = {hit.id: hit for hit in hits}
    if len(unique) <= COMPANY_MAX:
        return unique
    earliest = sorted(unique.values(), key=lambda hit: (hit.at, hit.id))[:COMPANY_MAX]
    return {hit.id: hit for hit in earliest}


def _verdict(hit: Hit, company: Company | None, sent_at: datetime | None, crowds: Crowds) -> Verdict:
    return Verdict(hit.id, *_sum((*_met(hit, company, sent_at, crowds),)))


def _met(hit: Hit, company: Company | None, sent_at: datetime | None, crowds: Crowds) -> Iterator[Rule]:
    own = traits.of(hit)
    yield from own.rules
    if sent_at is not None:
        yield from _speed(hit, own, (hit.at - sent_at).total_seconds())
    if hit.prefix and not own.is_shared and crowds.get((hit.prefix, bucket(hit.at)), 0) >= rules.CROWD_MAILS:
        yield rules.CROWD
    if company is not None:
        yield from company.of(hit)


def _speed(hit: Hit, own: traits.Traits, seconds: float) -> Iterator[Rule]:
    if seconds <= rules.FAST_S:
        yield rules.FAST
        if seconds <= rules.AT_ONCE_S and hit.kind == "clicked":
            yield rules.AT_ONCE
    elif seconds >= rules.LATER_S:
        if own.is_proxy and hit.kind == "opened":
            yield rules.IN_STEAD
        elif own.is_personal:
            yield rules.LATER


@lru_cache(maxsize=4_096)
def _sum(met: tuple[Rule, ...]) -> tuple[str, tuple[str, ...]]:
    """Who is behind a hit that meets these rules, and their names."""
    against = round(sum(rule.weight for rule in met if rule.says == "machine"), 3)
    on_behalf = sum(rule.weight for rule in met if rule.says == "human")
    if against >= rules.MACHINE_FROM:
        source = "machine"
    else:
        source = "human" if round(on_behalf - against, 3) >= rules.HUMAN_FROM else "unknown"
    return source, tuple(rule.name for rule in met)
