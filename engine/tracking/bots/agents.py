"""What kind of program an agent (the User-Agent of a request) says it is."""

import re
from functools import lru_cache

from engine.tracking.bots import known

BROWSER, BARE, ODD, MISSING = "browser", "bare", "odd", "missing"

# RFC 9110 section 10.1.5: products with versions and comments. Every browser says a platform and an engine.
_PRODUCTS = re.compile(r"[!#$%&'*+.^_`|~\w-]+(?:/[!#$%&'*+.^_`|~\w:-]+)?(?:\s|$|\()")
_BROWSER = re.compile(
    r"Mozilla/[45]\.0 \([^)]{4,}\).*(?:AppleWebKit|Gecko|Trident|MSIE)|Mozilla/4\.0 \(compatible; MSIE|Opera/"
)


def classify(agent: str) -> str:
    """A key of `known.KINDS`, or `browser`, `bare` (Mozilla/5.0 and nothing else), `odd`, `missing`."""
    return _classified(agent)[0]


def name(agent: str) -> str:
    """The name of the class in `known.toml`; empty for what is not listed there."""
    entry = _classified(agent)[1]
    return entry.name if entry else ""


def was_looked_up(agent: str) -> bool:
    """Whether what is said of this agent was looked up; True for what is told by its form alone."""
    entry = _classified(agent)[1]
    return entry is None or entry.seen is not None


@lru_cache(maxsize=4_096)
def _classified(agent: str) -> tuple[str, known.Entry | None]:
    written = agent.strip()
    if not written:
        return MISSING, None
    found = _alternation().match(written)
    if found:
        entry = known.agents()[int(str(found.lastgroup)[1:])]
        return entry.kind, entry
    return _by_form(written), None


def _by_form(written: str) -> str:
    if written == "Mozilla/5.0":
        return BARE
    if _BROWSER.match(written):
        return BROWSER
    return "" if _PRODUCTS.match(written) else ODD


@lru_cache(maxsize=1)
def _alternation() -> re.Pattern[str]:
    """One pattern for all, tried at the beginning alone, so that the first entry listed wins wherever it matches."""
    groups = (_group(number, entry) for number, entry in enumerate(known.agents()))
    return re.compile("|".join(groups), re.IGNORECASE | re.DOTALL)


def _group(number: int, entry: known.Entry) -> str:
    return f"(?P<e{number}>.*?(?:{'|'.join(map(_part, entry.matches))}))"


def _part(part: str) -> str:
    """A part as a pattern; ^ and $ at its ends stand for the ends of the agent."""
    begin, end = ("^" if part.startswith("^") else ""), ("$" if part.endswith("$") else "")
    return begin + re.escape(part.removeprefix("^").removesuffix("$")) + end
