"""The rules: what speaks for a machine and what for a person, how strongly, and why.

Weights of the machine's rules are summed, 1.0 or more is a machine. Else a person's weights, less the machine's, make
a human from 0.5 on. Whatever is left is unknown, and moves flags as a human does.
"""

from dataclasses import dataclass

MACHINE_FROM = 1.0
HUMAN_FROM = 0.5

FAST_S = 10
SWEEP_S = 60
AT_ONCE_S = 2
LATER_S = 30
CROWD_MAILS = 25

_GATEWAYS = "https://check.live-direct-marketing.online/blog/bot-clicks-security-scanners-detect"
_PRELOADING = "https://www.sparkpost.com/blog/gmail-prefetching-images/, https://wordtothewise.com/2021/09/apple-mpp/"
_SUPED = "https://suped.com/learn/email-deliverability/how-can-i-identify-bot-user-agents-in-my-email-click-data"


@dataclass(frozen=True, slots=True, eq=False)  # each is one of a kind, and told by that
class Rule:
    """One thing to look for; `says` is who it speaks for."""

    name: str
    says: str
    weight: float
    why: str
    source: str = ""  # where the why is from; empty for what follows from the ways of people and programs


def _machine(name: str, weight: float, why: str, source: str = "") -> Rule:
    return Rule(name, "machine", weight, why, source)


def _human(name: str, weight: float, why: str, source: str = "") -> Rule:
    return Rule(name, "human", weight, why, source)


HEAD = _machine("head", 1.0, "no browser follows a link or loads a picture by HEAD", "RFC 9110 section 9.3.2")
PREFETCH = _machine("prefetch", 1.0, "the request says that nobody asked for it yet", "Fetch standard: Sec-Purpose")
SCANNER_NETWORK = _machine("scanner-network", 1.0, "only a scanner's own computers are in its network")
UNCHECKED_NETWORK = _machine(
    "unchecked-network", 0.6, "a scanner's network by general knowledge that was not looked up"
)
UNCHECKED_AGENT = _machine("unchecked-agent", 0.6, "a machine's agent by general knowledge that was not looked up")
SCANNER_AGENT = _machine("scanner-agent", 1.0, "the agent names a scanner")
PREVIEW = _machine("preview", 1.0, "a chat or network makes a picture of the link for whoever may see it")
CRAWLER = _machine("crawler", 1.0, "a search engine or an index reads the page")
MONITOR = _machine("monitor", 1.0, "a program looks whether the page answers")
LIBRARY = _machine("library", 1.0, "a program asks, by its library's own name")
APP_LIBRARY = _machine(
    "app-library", 0.5, "a program asks; some of them are mail apps that load pictures for people", _SUPED
)
HEADLESS = _machine("headless", 1.0, "the agent says that nobody looks at this browser")
PRELOADED = _machine("preloaded", 1.0, "the picture was fetched beforehand; the mail may never be read", _PRELOADING)
BARE_AGENT = _machine("bare-agent", 0.8, "Mozilla/5.0 and nothing else is no browser's agent")
NO_AGENT = _machine("no-agent", 0.8, "every browser sends an agent")
ODD_AGENT = _machine("odd-agent", 0.6, "the agent is no list of products", "RFC 9110 section 10.1.5")
HOSTING = _machine("hosting", 0.5, "scanners run on rented computers; so do the exits of some VPNs")
FAST = _machine("fast", 0.5, "within ten seconds of the acceptance; some people are as fast", _GATEWAYS)
AT_ONCE = _machine("at-once", 0.3, "a click within two seconds leaves no time to read")
LINKS_AT_ONCE = _machine("links-at-once", 1.0, "four links or more within a second: faster than hands", _GATEWAYS)
SOME_LINKS = _machine("some-links", 0.6, "two or three links within a second: scanners, and readers who open tabs")
SWEEP = _machine("sweep", 0.5, "four links within a minute: sandboxes that take their time do that, and few readers")
WITH_OPEN = _machine("with-open", 0.5, "picture and link within a second, from one place")
HONEYPOT = _machine("honeypot", 1.0, "a link that no reader sees was followed")
BESIDE_HONEYPOT = _machine("beside-honeypot", 1.0, "the one who followed the hidden link did this, too")
BESIDE_MACHINE = _machine(
    "beside-machine", 0.6, "a certain machine with this agent asked from the same place just then"
)
CROWD = _machine("crowd", 0.8, f"{CROWD_MAILS} mails or more were hit from one prefix within ten seconds")

LATER = _human("later", 0.6, "a browser or mail program, half a minute or more after the acceptance")
IN_STEAD = _human("in-stead", 0.6, "the mailbox provider fetched the picture because a person opened the mail")
AFTER_OPEN = _human("after-open", 0.3, "a click after the mail was seen")
AFTER_SCANNER = _human("after-scanner", 0.3, "somebody else followed the link that a scanner had looked at")
RETURNED = _human("returned", 0.5, "the same reader came back after an hour or more")

ALL = tuple(value for value in globals().values() if isinstance(value, Rule))
