"""Rules about the other hits of the same e-mail."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from operator import attrgetter

from engine.tracking.bots import rules, traits
from engine.tracking.bots.hits import HONEYPOT, Hit
from engine.tracking.bots.rules import Rule

_TOGETHER = timedelta(seconds=1)
_NEAR = timedelta(seconds=60)
_SWEEP = timedelta(seconds=rules.SWEEP_S)
_FAST = timedelta(seconds=rules.FAST_S)
_RETURN = timedelta(hours=1)

_at = attrgetter("at")


class Neighbours:
    """The hits of one e-mail, indexed once, so that no hit has to be compared with all others."""

    def __init__(self, hits: Iterable[Hit]) -> None:
        by_place, by_agent, machines = _Moments(), _Moments(), _Moments()
        self._by_place, self._by_agent, self._machines = by_place, by_agent, machines
        self._hidden = _Moments()  # clicks on the hidden link, by prefix and by agent
        self._scans: dict[int, dict[tuple[str, str], datetime]] = defaultdict(dict)  # the first scan, by link and place
        self._clicked_at: list[datetime] = []
        self._links: list[int] = []
        self._opened_at: datetime | None = None  # the first open by something other than a machine
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
        elif not is_machine and self._opened_at is None:
            self._opened_at = at

    def rules_of(self, hit: Hit) -> Iterator[Rule]:
        """Yield the rules that apply to one of the hits because of the others."""
        if hit.kind == "clicked":
            yield from self._link_rules(hit)
        other_kind = "opened" if hit.kind == "clicked" else "clicked"
        if self._by_place.within(_TOGETHER, hit.at, (other_kind, (hit.network, hit.prefix))):
            yield rules.WITH_OPEN
        yield from self._machine_rules(hit)
        yield from self._human_rules(hit)

    def _link_rules(self, hit: Hit) -> Iterator[Rule]:
        """Yield the rules about several links that are followed within a second or a minute of this hit."""
        together = self._links_within(_TOGETHER, hit.at)
        if together > 1:
            yield rules.LINKS_AT_ONCE if together > 3 else rules.SOME_LINKS
        if self._links_within(_SWEEP, hit.at) >= 4:
            yield rules.SWEEP

    def _links_within(self, gap: timedelta, at: datetime) -> int:
        first, last = bisect_left(self._clicked_at, at - gap), bisect_right(self._clicked_at, at + gap)
        return 1 if last - first == 1 else len(set(self._links[first:last]))

    def _machine_rules(self, hit: Hit) -> Iterator[Rule]:
        if self._hidden:
            own = hit.link == HONEYPOT
            by_agent = self._hidden.within(_NEAR, hit.at, ("agent", hit.agent))
            by_prefix = self._hidden.within(_NEAR, hit.at, ("prefix", hit.prefix)) if hit.prefix else 0
            if max(by_agent, by_prefix) > own:
                yield rules.BESIDE_HONEYPOT
        if self._machines:
            is_machine = traits.of(hit).weight >= rules.MACHINE_FROM
            if self._machines.within(_NEAR, hit.at, (hit.agent, (hit.network, hit.prefix))) > is_machine:
                yield rules.BESIDE_MACHINE

    def _human_rules(self, hit: Hit) -> Iterator[Rule]:
        own = traits.of(hit)
        if own.weight >= rules.MACHINE_FROM or not (own.is_personal or own.is_proxy):
            return
        if hit.kind == "clicked":
            if self._opened_at is not None and self._opened_at < hit.at:
                yield rules.AFTER_OPEN
            if hit.link in self._scans and self._was_scanned(hit):
                yield rules.AFTER_SCANNER
        same = self._by_agent[hit.agent]
        if same[-1] - hit.at > _RETURN or hit.at - same[0] > _RETURN:
            yield rules.RETURNED

    def _was_scanned(self, hit: Hit) -> bool:
        """Return True if a machine in another place followed the same link before."""
        place, until = (hit.network, hit.prefix), hit.at - _FAST
        return any(other != place and at < until for other, at in self._scans[hit.link].items())


class _Moments(defaultdict[object, list[datetime]]):
    """Sorted moments of hits, by some property of the hits."""

    def __init__(self) -> None:
        super().__init__(list)

    def within(self, gap: timedelta, at: datetime, key: object) -> int:
        """Return the number of moments at most `gap` from `at`."""
        moments = self.get(key)
        if moments is None:
            return 0
        return bisect_right(moments, at + gap) - bisect_left(moments, at - gap)
