"""Entries of known.toml have a source and a date, do not contradict each other, and classify their examples."""

from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from engine.tracking.bots import agents, classifier, known, networks, rules
from engine.tracking.bots.hits import Hit

SENT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
ENTRIES = [*known.networks(), *known.agents()]
DOCUMENT = (Path(__file__).parents[4] / "docs" / "tracking.md").read_text("utf-8")


def test_every_entry_has_a_source_and_a_date_or_is_general_knowledge() -> None:
    assert len(ENTRIES) > 50
    for entry in ENTRIES:
        assert entry.kind in known.KINDS and entry.matches and len(entry.source) > 10
        assert (entry.seen is None) == (entry.confidence == "general knowledge")
        assert entry.seen is None or (entry.confidence == "looked up" and entry.seen >= date(2026, 11, 24))
    for entries in (known.networks(), known.agents()):
        assert len({entry.name for entry in entries}) == len(entries)


@pytest.mark.parametrize("version", [4, 6])
def test_ranges_do_not_overlap(version: int) -> None:
    ranges = [(ip_network(match), entry.name) for entry in known.networks() for match in entry.matches]
    ranges = sorted((one for one in ranges if one[0].version == version), key=lambda one: int(one[0][0]))
    assert [(one, other) for one, other in pairwise(ranges) if one[0].overlaps(other[0])] == []


def test_every_rule_and_kind_is_documented() -> None:
    assert [name for name in (*(rule.name for rule in rules.ALL), *known.KINDS) if f"`{name}`" not in DOCUMENT] == []
    assert len({rule.name for rule in rules.ALL}) == len(rules.ALL) > 25
    assert all(rule.weight > 0 and rule.why and rule.says in ("human", "machine") for rule in rules.ALL)


def test_an_entry_that_was_not_looked_up_never_suffices_for_a_machine() -> None:
    unchecked = [entry for entry in ENTRIES if entry.seen is None]
    assert len(unchecked) > 20
    for entry in unchecked:
        agent, network = ("", entry.name) if entry in known.networks() else (_agent(entry), "other")
        hit = Hit(UUID(int=1), "clicked", SENT + timedelta(hours=1), 0, agent=agent or CHROME, network=network)
        [classification] = classifier.classify([hit], sent_at=SENT, bursts={})
        assert classification.source != "machine", (entry.name, classification)


def _agent(entry: known.Entry) -> str:
    """Return an agent that only this entry matches."""
    part = entry.matches[0]
    return part.removeprefix("^").removesuffix("$") + ("" if part.endswith("$") else "1.0")


def test_an_entry_that_was_not_looked_up_counts_beside_other_rules() -> None:
    hit = Hit(UUID(int=1), "clicked", SENT + timedelta(seconds=5), 0, agent=CHROME, network="symantec-cloud")
    [classification] = classifier.classify([hit], sent_at=SENT, bursts={})
    assert classification == (hit.id, "machine", ("unchecked-network", "fast"))


def test_speed_alone_is_no_proof() -> None:
    assert rules.FAST.weight + rules.AT_ONCE.weight < rules.MACHINE_FROM


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("66.249.84.5", "google"), ("17.58.97.1", "apple"), ("104.28.40.1", "icloud-relay"), ("209.222.82.10", "barracuda"),  # noqa: E501  # a table of cases
        ("67.231.144.1", "proofpoint"), ("40.94.1.1", "microsoft"), ("18.200.0.1", "amazon"), ("192.0.2.1", "other"),
        ("2a01:4f8::1", "hetzner"), ("2001:db8::1", "other"), ("10.1.2.3", "own"),
        ("172.225.226.64", "icloud-relay"), ("172.234.16.1", "linode"),
    ],
)  # fmt: skip
def test_an_address_is_in_the_class_of_its_range(address: str, name: str) -> None:
    parsed = networks.parsed(address)
    assert parsed is not None and networks.classify(parsed) == name


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "preview"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", "preview"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36", "headless"),  # noqa: E501  # a table of cases
        ("python-requests/2.32.3", "library"), ("okhttp/4.12.0", "app-library"), ("Mozilla/5.0", "bare"), ("", "missing"),  # noqa: E501  # a table of cases
        ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.4266; MSOffice 16)", "reader"),  # noqa: E501  # a table of cases
        ("Lynx/2.8.9rel.1 libwww-FM/2.14", "reader"), ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", "browser"),  # noqa: E501  # a table of cases
        ("<script>", "odd"), ("Some/1.0", ""),
    ],
)  # fmt: skip
def test_an_agent_is_of_a_kind(agent: str, kind: str) -> None:
    assert agents.classify(agent) == kind
