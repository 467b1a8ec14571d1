"""What hits of one mail say of each other."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from operator import attrgetter

from engine.tracking.bots import rules, traits
from engine.tracking.bots.hits import HONEYPOT, Hit
from engine.tracking.bots.rules import Rule

_AT_ONCE = timedelta(seconds=1)
_BESIDE = timedelta(seconds=60)
_SWEEP = timedelta(seconds=rules.SWEEP_S)
_FAST = timedelta(seconds=rules.FAST_S)
_RETURN = timedelta(hours=1)

_at = attrgetter("at")


class Company:
    """The hits of one mail, sorted out once so that each of them need not look at all others."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        by_place, by_agent, machines = _Moments(), _Moments(), _Moments()
        self._by_place, self._by_agent, self._machines = by_place, by_agent, machines
        self._hidden = _Moments()  # of the followers of the hidden link, by prefix and by agent
        self._scans: dict[int, dict[tuple[str, str], datetime]] = defaultdict(dict)  # the first, by link and place
        self._clicked_at: list[datetime] = []
        self._links: list[int] = []
        self._seen_at: datetime | None = None  # when nobody's machine first loaded the picture
        for hit in sorted(hits, key=_at):
            self._add(hit)

    def _add(self, hit: Hit) -> None:
        place, at = (hit.network, hit.prefix), hit.at
        is_machine = traits.of(hit).weight >= rules.MACHINE_FROM
        self._by_place[hit.kind, place].append(at)
        self._by_agent[hit.agent].append(at)
        if is_machine:
            self._machines[hit.agent, place].append(at)
        if hit.link == HONEYPOT:
            self._hidden["agent", hit.agent].append(at)
            self._hidden["prefix", hit.prefix].append(at)
        if hit.kind == "clicked":
            self._clicked_at.append(at)
            self._links.append(hit.link)
            if is_machine:
                self._scans[hit.link].setdefault(place, at)
        elif not is_machine and self._seen_at is None:
            self._seen_at = at

    def of(self, hit: Hit) -> Iterator[Rule]:
        """The rules that one of them meets because of the others."""
        if hit.kind == "clicked":
            yield from self._followed(hit)
        other_kind = "opened" if hit.kind == "clicked" else "clicked"
        if self._by_place.within(_AT_ONCE, hit.at, (other_kind, (hit.network, hit.prefix))):
            yield rules.WITH_OPEN
        yield from self._beside(hit)
        yield from self._of_a_person(hit)

    def _followed(self, hit: Hit) -> Iterator[Rule]:
        """Links followed together. Of those within a second of each other this hit must be one."""
        at_once = self._links_within(_AT_ONCE, hit.at)
        if at_once > 1:
            yield rules.LINKS_AT_ONCE if at_once > 3 else rules.SOME_LINKS
        if self._links_within(_SWEEP, hit.at) >= 4:
            yield rules.SWEEP

    def _links_within(self, gap: timedelta, at: datetime) -> int:
        first, last = bisect_left(self._clicked_at, at - gap), bisect_right(self._clicked_at, at + gap)
        return 1 if last - first == 1 else len(set(self._links[first:last]))

    def _beside(self, hit: Hit) -> Iterator[Rule]:
        if self._hidden:
            own = hit.link == HONEYPOT
            by_agent = self._hidden.within(_BESIDE, hit.at, ("agent", hit.agent))
            by_prefix = self._hidden.within(_BESIDE, hit.at, ("prefix", hit.prefix)) if hit.prefix else 0
            if max(by_agent, by_prefix) > own:
                yield rules.BESIDE_HONEYPOT
        if self._machines:
            is_machine = traits.of(hit).weight >= rules.MACHINE_FROM
            if self._machines.within(_BESIDE, hit.at, (hit.agent, (hit.network, hit.prefix))) > is_machine:
                yield rules.BESIDE_MACHINE

    def _of_a_person(self, hit: Hit) -> Iterator[Rule]:
        own = traits.of(hit)
        if own.weight >= rules.MACHINE_FROM or not (own.is_personal or own.is_proxy):
            return
        if hit.kind == "clicked":
            if self._seen_at is not None and self._seen_at < hit.at:
                yield rules.AFTER_OPEN
            if hit.link in self._scans and self._was_scanned(hit):
                yield rules.AFTER_SCANNER
        same = self._by_agent[hit.agent]
        if same[-1] - hit.at > _RETURN or hit.at - same[0] > _RETURN:
            yield rules.RETURNED

    def _was_scanned(self, hit: Hit) -> bool:
        """Whether a machine elsewhere followed the same link before."""
        place, until = (hit.network, hit.prefix), hit.at - _FAST
        return any(where != place and at < until for where, at in self._scans[hit.link].items())


class _Moments(defaultdict[object, list[datetime]]):
    """Moments by some trait of their hits, in order."""

    def __init__(self) -> None:
        super().__init__(list)

    def within(self, gap: timedelta, at: datetime, key: object) -> int:
        """How many lie no further than `gap` from that moment."""
        moments = self.get(key)
        if moments is None:
            return 0
        return bisect_right(moments, at + gap) - bisect_left(moments, at - gap)
