"""The indexed rules about neighbours give the same as comparing each hit with each."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.tracking.bots import neighbours, rules, traits
from engine.tracking.bots.hits import HONEYPOT, Hit
from engine.tracking.bots.rules import Rule
from models import ids

SENT = datetime(2026, 1, 15, 10, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
AGENTS = (BROWSER, "Mozilla/5.0", "GoogleImageProxy", "python-requests/2.32", "")
# On both sides of each limit: one second, ten, a minute, an hour.
SECONDS = (0, 1, 1.001, 2, 9.999, 10, 10.001, 11, 60, 61, 61.001, 120, 3600, 3600.001, 3661, 7300)

HITS = st.lists(
    st.builds(
        lambda kind, seconds, link, agent, network, prefix: Hit(
            ids.new(),
            kind,
            SENT + timedelta(seconds=seconds),
            link if kind == "clicked" else -1,
            "GET",
            agent,
            network,
            prefix,
        ),
        st.sampled_from(("opened", "clicked")),
        st.sampled_from(SECONDS),
        st.sampled_from((0, 1, 2, 3, HONEYPOT)),
        st.sampled_from(AGENTS),
        st.sampled_from(("other", "google")),
        st.sampled_from(("", "a", "b")),
    ),
    min_size=2,
    max_size=12,
)


def each_by_each(hit: Hit, hits: list[Hit]) -> Iterator[Rule]:
    """Yield the rules by their definition, in quadratic time."""
    own, place = traits.of(hit), (hit.network, hit.prefix)
    others = [(one, abs((one.at - hit.at).total_seconds())) for one in hits if one is not hit]
    scans = [(one, gap) for one, gap in others if traits.of(one).weight >= rules.MACHINE_FROM]
    clicks = [(one, gap) for one, gap in others if one.kind == "clicked"]
    if hit.kind == "clicked":
        together = len({hit.link, *(one.link for one, gap in clicks if gap <= 1)})
        if together > 1:
            yield rules.LINKS_AT_ONCE if together > 3 else rules.SOME_LINKS
        if len({hit.link, *(one.link for one, gap in clicks if gap <= 60)}) >= 4:
            yield rules.SWEEP
    if any(gap <= 1 and one.kind != hit.kind and (one.network, one.prefix) == place for one, gap in others):
        yield rules.WITH_OPEN
    hidden = [one for one, gap in others if gap <= 60 and one.link == HONEYPOT]
    if any(one.agent == hit.agent or (hit.prefix and one.prefix == hit.prefix) for one in hidden):
        yield rules.BESIDE_HONEYPOT
    if any(gap <= 60 and (one.agent, one.network, one.prefix) == (hit.agent, *place) for one, gap in scans):
        yield rules.BESIDE_MACHINE
    if own.weight >= rules.MACHINE_FROM or not (own.is_personal or own.is_proxy):
        return
    if hit.kind == "clicked":
        machines = [one for one, _ in scans]
        if any(one.kind == "opened" and one.at < hit.at and one not in machines for one, _ in others):
            yield rules.AFTER_OPEN
        earlier = [one for one, gap in scans if gap > 10 and one.at < hit.at and one.link == hit.link]
        if any(one.kind == "clicked" and (one.network, one.prefix) != place for one in earlier):
            yield rules.AFTER_SCANNER
    if any(gap > 3600 and one.agent == hit.agent for one, gap in others):
        yield rules.RETURNED


@given(HITS)
def test_indexed_rules_equal_a_comparison_of_each_with_each(hits: list[Hit]) -> None:
    indexed = neighbours.Neighbours(hits)
    assert [list(indexed.rules_of(hit)) for hit in hits] == [list(each_by_each(hit, hits)) for hit in hits]
