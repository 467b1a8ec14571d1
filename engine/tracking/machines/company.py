"""What hits of one mail say of each other."""

from collections.abc import Iterator, Sequence

from engine.tracking.machines import rules, traits
from engine.tracking.machines.hits import HONEYPOT, Hit
from engine.tracking.machines.rules import Rule

_BESIDE_S = 60
_RETURN_S = 3_600


def of(hit: Hit, hits: Sequence[Hit]) -> Iterator[Rule]:
    """The rules that a hit meets because of the mail's other hits."""
    others = [other for other in hits if other.id != hit.id]
    if hit.kind == "clicked":
        yield from _links(hit, others)
    if any(other.kind != hit.kind and _near(hit, other, 1) and _one_place(hit, other) for other in others):
        yield rules.WITH_OPEN
    yield from _beside(hit, others)
    yield from _of_a_person(hit, others)


def _links(hit: Hit, others: Sequence[Hit]) -> Iterator[Rule]:
    """Links followed together. Of those within a second of each other this hit must be one."""
    clicks = [other for other in others if other.kind == "clicked"]
    at_once = {hit.link} | {other.link for other in clicks if _near(hit, other, 1)}
    if len(at_once) > 1:
        yield rules.LINKS_AT_ONCE if len(at_once) > 2 else rules.TWO_LINKS
    if len({hit.link} | {other.link for other in clicks if _near(hit, other, rules.SWEEP_S)}) >= 4:
        yield rules.SWEEP


def _beside(hit: Hit, others: Sequence[Hit]) -> Iterator[Rule]:
    near = [other for other in others if _near(hit, other, _BESIDE_S)]
    if any(other.link == HONEYPOT and _same_caller(hit, other) for other in near):
        yield rules.BESIDE_HONEYPOT
    if any(traits.of(other).weight >= rules.MACHINE_FROM and _twins(hit, other) for other in near):
        yield rules.BESIDE_MACHINE


def _of_a_person(hit: Hit, others: Sequence[Hit]) -> Iterator[Rule]:
    own = traits.of(hit)
    if own.weight >= rules.MACHINE_FROM or not (own.is_personal or own.is_proxy):
        return
    before = [other for other in others if other.at < hit.at]
    if hit.kind == "clicked":
        if any(other.kind == "opened" and traits.of(other).weight < rules.MACHINE_FROM for other in before):
            yield rules.AFTER_OPEN
        if any(_scanned(other, hit) for other in before):
            yield rules.AFTER_SCANNER
    if any(other.agent == hit.agent and not _near(hit, other, _RETURN_S) for other in others):
        yield rules.RETURNED


def _scanned(other: Hit, hit: Hit) -> bool:
    """Whether `other` is a machine elsewhere that followed the same link well before."""
    is_same = other.kind == "clicked" and other.link == hit.link and not _near(hit, other, rules.FAST_S)
    return is_same and not _one_place(hit, other) and traits.of(other).weight >= rules.MACHINE_FROM


def _near(hit: Hit, other: Hit, seconds: float) -> bool:
    return abs((hit.at - other.at).total_seconds()) <= seconds


def _one_place(hit: Hit, other: Hit) -> bool:
    return (hit.network, hit.prefix) == (other.network, other.prefix)


def _same_caller(hit: Hit, other: Hit) -> bool:
    return (bool(hit.prefix) and hit.prefix == other.prefix) or hit.agent == other.agent


def _twins(hit: Hit, other: Hit) -> bool:
    return hit.agent == other.agent and _one_place(hit, other)
