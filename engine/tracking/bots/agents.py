"""Classes of user agents: the kind of program that a User-Agent header names."""

import re
from functools import lru_cache

from engine.tracking.bots import known

BROWSER, BARE, ODD, MISSING = "browser", "bare", "odd", "missing"

# RFC 9110 section 10.1.5: products with versions and comments. Every browser names a platform and an engine.
_PRODUCTS = re.compile(r"[!#$%&'*+.^_`|~\w-]+(?:/[!#$%&'*+.^_`|~\w:-]+)?(?:\s|$|\()")
_BROWSER = re.compile(
    r"Mozilla/[45]\.0 \([^)]{4,}\).*(?:AppleWebKit|Gecko|Trident|MSIE)|Mozilla/4\.0 \(compatible; MSIE|Opera/"
)


def classify(agent: str) -> str:
    """Return a key of `known.KINDS`, or `browser`, `bare` (only Mozilla/5.0), `odd` or `missing`; empty for others."""
    return _classified(agent)[0]


def name(agent: str) -> str:
    """Return the agent's class in `known.toml`; empty if it is not listed."""
    entry = _classified(agent)[1]
    return entry.name if entry else ""


def was_looked_up(agent: str) -> bool:
    """Return True if the agent's entry was looked up, or if it has none and is classified by its form."""
    entry = _classified(agent)[1]
    return entry is None or entry.seen is not None


@lru_cache(maxsize=4_096)
def _classified(agent: str) -> tuple[str, known.Entry | None]:
    agent = agent.strip()
    if not agent:
        return MISSING, None
    match = _alternation().match(agent)
    if match:
        entry = known.agents()[int(str(match.lastgroup)[1:])]
        return entry.kind, entry
    return _by_form(agent), None


def _by_form(agent: str) -> str:
    if agent == "Mozilla/5.0":
        return BARE
    if _BROWSER.match(agent):
        return BROWSER
    return "" if _PRODUCTS.match(agent) else ODD


@lru_cache(maxsize=1)
def _alternation() -> re.Pattern[str]:
    """Return one pattern for all entries, anchored at the start, so that the first entry in the list wins."""
    groups = (_group(number, entry) for number, entry in enumerate(known.agents()))
    return re.compile("|".join(groups), re.IGNORECASE | re.DOTALL)


def _group(number: int, entry: known.Entry) -> str:
    return f"(?P<e{number}>.*?(?:{'|'.join(map(_part, entry.matches))}))"


def _part(part: str) -> str:
    """Return the pattern of a part; ^ and $ in it stand for the ends of the agent."""
    start, end = ("^" if part.startswith("^") else ""), ("$" if part.endswith("$") else "")
    return start + re.escape(part.removeprefix("^").removesuffix("$")) + end
