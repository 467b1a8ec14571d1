"""What hits of one mail say of each other."""

from collections.abc import Iterator, Sequence

from engine.tracking.machines import rules, traits
from engine.tracking.machines.hits import HONEYPOT, Hit
from engine.tracking.machines.rules import Rule

_BESIDE_S = 60
_RETURN_S = 3_600

Apart = tuple[Hit, float]  # another hit of the mail, and by how many seconds it is apart


def of(hit: Hit, hits: Sequence[Hit]) -> Iterator[Rule]:
    """The rules that a hit meets because of the mail's other hits."""
    others = [
        (other, abs((hit.at - other.at).total_seconds()))
        for other in hits
        if other is not hit and other.id != hit.id  # the first says most; to compare ids takes longer
    ]
    if hit.kind == "clicked":
        yield from _links(hit, others)
    if any(gap_s <= 1 and other.kind != hit.kind and _one_place(hit, other) for other, gap_s in others):
        yield rules.WITH_OPEN
    near = [other for other, gap_s in others if gap_s <= _BESIDE_S]
    if near:
        yield from _beside(hit, near)
    yield from _of_a_person(hit, others)


def _links(hit: Hit, others: Sequence[Apart]) -> Iterator[Rule]:
    """Links followed together. Of those within a second of each other this hit must be one."""
    clicks = [(other.link, gap_s) for other, gap_s in others if other.kind == "clicked"]
    at_once = {hit.link, *[link for link, gap_s in clicks if gap_s <= 1]}
    if len(at_once) > 1:
        yield rules.LINKS_AT_ONCE if len(at_once) > 3 else rules.SOME_LINKS
    if len({hit.link, *[link for link, gap_s in clicks if gap_s <= rules.SWEEP_S]}) >= 4:
        yield rules.SWEEP


def _beside(hit: Hit, near: Sequence[Hit]) -> Iterator[Rule]:
    if any(other.link == HONEYPOT and _same_caller(hit, other) for other in near):
        yield rules.BESIDE_HONEYPOT
    if any(_twins(hit, other) and traits.of(other).weight >= rules.MACHINE_FROM for other in near):
        yield rules.BESIDE_MACHINE


def _of_a_person(hit: Hit, others: Sequence[Apart]) -> Iterator[Rule]:
    own = traits.of(hit)
    if own.weight >= rules.MACHINE_FROM or not (own.is_personal or own.is_proxy):
        return
    if hit.kind == "clicked":
        before = [(other, gap_s) for other, gap_s in others if other.at < hit.at]
        if any(other.kind == "opened" and traits.of(other).weight < rules.MACHINE_FROM for other, _ in before):
            yield rules.AFTER_OPEN
        if any(gap_s > rules.FAST_S and _scanned(other, hit) for other, gap_s in before):
            yield rules.AFTER_SCANNER
    if any(gap_s > _RETURN_S and other.agent == hit.agent for other, gap_s in others):
        yield rules.RETURNED


def _scanned(other: Hit, hit: Hit) -> bool:
    """Whether `other` is a machine elsewhere that followed the same link."""
    is_same = other.kind == "clicked" and other.link == hit.link
    return is_same and not _one_place(hit, other) and traits.of(other).weight >= rules.MACHINE_FROM


def _one_place(hit: Hit, other: Hit) -> bool:
    return (hit.network, hit.prefix) == (other.network, other.prefix)


def _same_caller(hit: Hit, other: Hit) -> bool:
    return (bool(hit.prefix) and hit.prefix == other.prefix) or hit.agent == other.agent


def _twins(hit: Hit, other: Hit) -> bool:
    return hit.agent == other.agent and _one_place(hit, other)
