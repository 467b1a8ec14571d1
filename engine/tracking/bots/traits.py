"""Rules about one hit alone, without its time and the other hits."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from engine.tracking.bots import agents, networks, rules
from engine.tracking.bots.hits import HONEYPOT, Hit
from engine.tracking.bots.rules import Rule

_BY_AGENT = {
    "scanner": rules.SCANNER_AGENT,
    "preview": rules.PREVIEW,
    "crawler": rules.CRAWLER,
    "monitor": rules.MONITOR,
    "library": rules.LIBRARY,
    "app-library": rules.APP_LIBRARY,
    "headless": rules.HEADLESS,
    agents.MISSING: rules.NO_AGENT,
    agents.ODD: rules.ODD_AGENT,
}
_BY_NETWORK = {"scanner": rules.SCANNER_NETWORK, "hosting": rules.HOSTING}
_SHARED = frozenset({"image-proxy", "preloader", "relay"})


class Traits(NamedTuple):
    """The rules that apply to a hit alone, and other properties of it."""

    rules: tuple[Rule, ...]
    weight: float  # the sum of the machine rules
    is_proxy: bool  # a mailbox provider that fetches pictures for people
    is_personal: bool  # a browser or mail program
    is_shared: bool  # used by so many people that a burst means nothing


def is_shared(network: str) -> bool:
    """Return True if networks of this class are used by so many people that a burst means nothing."""
    return networks.kind(network) in _SHARED


def of(hit: Hit) -> Traits:
    """Return the traits of the hit."""
    return _of(hit.kind, hit.method, hit.agent, hit.network, hit.purpose, hit.link == HONEYPOT)


@lru_cache(maxsize=8_192)
def _of(*properties: object) -> Traits:
    kind, method, agent, network, purpose, is_honeypot = properties
    matching = tuple(_matching(str(kind), str(method), str(agent), str(network), str(purpose)))
    if is_honeypot:
        matching = (*matching, rules.HONEYPOT)
    program, place = agents.classify(str(agent)), networks.kind(str(network))
    return Traits(
        rules=matching,
        weight=sum(rule.weight for rule in matching),
        is_proxy=program == "image-proxy",
        is_personal=program in (agents.BROWSER, "reader"),
        is_shared=place in _SHARED,
    )


def _matching(kind: str, method: str, agent: str, network: str, purpose: str) -> Iterator[Rule]:
    program = agents.classify(agent)
    if method == "HEAD":
        yield rules.HEAD
    if purpose:
        yield rules.PREFETCH
    if program in _BY_AGENT:
        rule = _BY_AGENT[program]
        yield rule if agents.was_looked_up(agent) else min(rule, rules.UNCHECKED_AGENT, key=_weight)
    if program in (agents.BARE, "preloader"):
        yield rules.PRELOADED if kind == "opened" else rules.BARE_AGENT
    place = networks.kind(network)
    if place in _BY_NETWORK:
        rule = _BY_NETWORK[place]
        yield rule if networks.was_looked_up(network) else min(rule, rules.UNCHECKED_NETWORK, key=_weight)


def _weight(rule: Rule) -> float:
    return rule.weight
