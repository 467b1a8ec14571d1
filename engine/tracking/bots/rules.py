"""The rules of bot detection, with their weights and reasons.

If the weights of the machine rules add up to 1.0, the hit is a machine's. Otherwise, if the weights of the human rules
exceed them by 0.5, it is a human's. All others are unknown, and set flags as a human's do.
"""

from dataclasses import dataclass

MACHINE_FROM = 1.0
HUMAN_FROM = 0.5

FAST_S = 10
SWEEP_S = 60
AT_ONCE_S = 2
LATER_S = 30
BURST_EMAILS = 25

_GATEWAYS = "https://check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect"
_PRELOADING = "https://www.sparkpost.com/blog/gmail-prefetching-images/, https://wordtothewise.com/2021/09/apple-mpp/"
_SUPED = "https://suped.com/learn/email-deliverability/how-can-i-identify-bot-user-agents-in-my-email-click-data"


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity, which is faster
class Rule:
    """A rule; `says` is the source that it supports."""

    name: str
    says: str
    weight: float
    why: str
    source: str = ""  # of `why`; empty if that is common knowledge


def _machine(name: str, weight: float, why: str, source: str = "") -> Rule:
    return Rule(name, "machine", weight, why, source)


def _human(name: str, weight: float, why: str, source: str = "") -> Rule:
    return Rule(name, "human", weight, why, source)


HEAD = _machine("head", 1.0, "browsers do not follow links or load pictures by HEAD", "RFC 9110 section 9.3.2")
PREFETCH = _machine("prefetch", 1.0, "the request declares itself a prefetch", "Fetch standard: Sec-Purpose")
SCANNER_NETWORK = _machine("scanner-network", 1.0, "the network belongs to a scanner")
UNCHECKED_NETWORK = _machine("unchecked-network", 0.6, "a scanner's network by general knowledge, not looked up")
UNCHECKED_AGENT = _machine("unchecked-agent", 0.6, "a machine's agent by general knowledge, not looked up")
SCANNER_AGENT = _machine("scanner-agent", 1.0, "the agent names a scanner")
PREVIEW = _machine("preview", 1.0, "a chat or social network makes a preview of the link")
CRAWLER = _machine("crawler", 1.0, "a search engine or an index reads the page")
MONITOR = _machine("monitor", 1.0, "a program checks that the page is reachable")
LIBRARY = _machine("library", 1.0, "the agent names an HTTP library")
APP_LIBRARY = _machine(
    "app-library", 0.5, "the agent names an HTTP library that some mail apps use to load pictures for people", _SUPED
)
HEADLESS = _machine("headless", 1.0, "the agent names a browser without a screen")
PRELOADED = _machine("preloaded", 1.0, "the picture was preloaded; the e-mail may never be read", _PRELOADING)
BARE_AGENT = _machine("bare-agent", 0.8, "no browser sends only Mozilla/5.0")
NO_AGENT = _machine("no-agent", 0.8, "every browser sends an agent")
ODD_AGENT = _machine("odd-agent", 0.6, "the agent is not a list of products", "RFC 9110 section 10.1.5")
HOSTING = _machine("hosting", 0.5, "scanners run on rented servers, and so do some VPN exits")
FAST = _machine("fast", 0.5, "within ten seconds of acceptance by the relay; some people are as fast", _GATEWAYS)
AT_ONCE = _machine("at-once", 0.3, "a click within two seconds leaves no time to read")
LINKS_AT_ONCE = _machine("links-at-once", 1.0, "four links or more within a second: too fast for a person", _GATEWAYS)
SOME_LINKS = _machine("some-links", 0.6, "two or three links within a second: scanners, and people who open tabs")
SWEEP = _machine("sweep", 0.5, "four links within a minute: slow sandboxes do that, and few people")
WITH_OPEN = _machine("with-open", 0.5, "picture and link within a second from one network")
HONEYPOT = _machine("honeypot", 1.0, "the hidden link was followed")
BESIDE_HONEYPOT = _machine(
    "beside-honeypot", 1.0, "the same agent or prefix followed the hidden link at about the same time"
)
BESIDE_MACHINE = _machine(
    "beside-machine", 0.6, "the same agent and network made a hit that is a machine's, at about the same time"
)
# Named "crowd" in events.reasons, where earlier classifications are looked up.
BURST = _machine("crowd", 0.8, f"{BURST_EMAILS} e-mails or more were hit from one prefix within ten seconds")

LATER = _human("later", 0.6, "a browser or mail program, half a minute or more after acceptance by the relay")
IMAGE_PROXY = _human("in-stead", 0.6, "the mailbox provider fetched the picture because a person opened the e-mail")
AFTER_OPEN = _human("after-open", 0.3, "a click after an open that is not a machine's")
AFTER_SCANNER = _human("after-scanner", 0.3, "a click from another network on a link that a scanner had followed")
RETURNED = _human("returned", 0.5, "the same agent returned after an hour or more")

ALL = tuple(value for value in globals().values() if isinstance(value, Rule))
