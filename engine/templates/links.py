"""Find the links of a template when it is compiled, and replace their targets when it is rendered."""

import re
from functools import lru_cache
from html import unescape
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

from jinja2.exceptions import TemplateSyntaxError
from markupsafe import escape

from engine.templates.mask import CLOSE, OPEN, PLACEHOLDER, Mask
from engine.templates.sandbox.printing import RenderContext
from engine.templates.sources import Segment
from engine.tracking import tokens

NAME = "_links"
CLICKED = "_clicked"
PIXEL = "_pixel"
UNSUBSCRIBE = "unsubscribe_url"
HONEYPOT = tokens.HONEYPOT

# The CSS inliner writes every attribute in double quotes, but leaves comments as they are.
_COMMENT_OR_LINK = re.compile(r'(?P<comment><!--.*?-->)|<(?:a|area)(?: [^\s=>"]+="[^"]*")*>', re.DOTALL)
_LINK_IN_COMMENT = re.compile(
    r"""<(?:a|area|v:\w+)(?:\s+[\w:-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*\s*/?>""", re.IGNORECASE
)
_CONDITIONAL = "<!--[if "
_HREF = re.compile(r"""(\shref\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_NO_TRACK = re.compile(r"""\sdata-no-track(?:\s*=\s*(?:""|''))?(?=[\s/>])""", re.IGNORECASE)
_WEB = ("http://", "https://")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")
# A link with another scheme is left as it is in a template; as the value of a variable only with a scheme of these.
_HARMLESS = ("mailto:", "tel:", "sms:", "whatsapp:", "webcal:", "#")
_DANGEROUS = frozenset({"javascript", "vbscript", "data", "file", "blob", "filesystem", "about", "view-source"})
_URL_IN_TEXT = re.compile(
    f'{PLACEHOLDER.pattern}|https?://(?:[^\\s<>"{OPEN}{CLOSE}]|{PLACEHOLDER.pattern})+', re.IGNORECASE
)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_BRACKETS = {")": "(", "]": "["}
_END_OF_SENTENCE = (*".,;:!?'…»”’", *_BRACKETS)
_NEEDED = "an absolute http:// or https:// address is needed, or a scheme such as mailto: or tel:"
_SHOWN_CHARS = 80
_SAFE_IN_URL = "/%:@!$&'()*+,;=~?#[]-._"


class Links(Protocol):
    """The tracking addresses of one e-mail, which lead to our own server."""

    @property
    def pixel(self) -> str:
        """The address of the tracking pixel."""

    @property
    def unsubscribe(self) -> str:
        """The address of the unsubscribe page; empty in an e-mail without an unsubscribe line."""

    def clicked(self, link: int, target: str) -> str:
        """Return the tracked address that redirects to `target`."""


class Tracker:
    """Wraps the links of one template in the `_clicked` filter; a link's number is its index in `targets`."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self.targets: list[str] = []  # each link's target as Jinja source

    def in_html(self, html: str) -> str:
        """Return the masked HTML with its links to web addresses tracked, except those with data-no-track.

        Links are `<a>`, `<area>` and, in conditional comments for Outlook, VML shapes; the latter share the numbers of
        equal targets outside. Raise TemplateSyntaxError for a fixed target that an e-mail cannot link to.
        """
        html = _COMMENT_OR_LINK.sub(lambda match: match[0] if match["comment"] else self._link(match[0]), html)
        return _COMMENT_OR_LINK.sub(lambda match: self._comment(match[0]) if match["comment"] else match[0], html)

    def in_text(self, text: str) -> str:
        """Return the masked text with its web addresses tracked; those of the HTML keep their numbers."""
        return _URL_IN_TEXT.sub(self._url, text)

    def _comment(self, comment: str) -> str:
        if not comment.startswith(_CONDITIONAL):
            return comment
        return _LINK_IN_COMMENT.sub(lambda match: self._link(match[0], shared=True), comment)

    def _link(self, tag: str, *, shared: bool = False) -> str:
        if _NO_TRACK.search(tag):
            return _NO_TRACK.sub("", tag)

        def tracked(match: re.Match[str]) -> str:
            quote_mark = match[0][-1]
            return f"{match[1]}{quote_mark}{self._tracked(match[2] or match[3] or '', shared=shared)}{quote_mark}"

        return _HREF.sub(tracked, tag, count=1)

    def _tracked(self, href: str, *, shared: bool) -> str:
        fixed = unescape(href.partition(OPEN)[0]).lstrip().lower()
        if href in ("", "#") or fixed.startswith("#") or self._unsubscribes(href):
            return href
        if fixed and not fixed.startswith(_WEB):
            scheme = _SCHEME.match(fixed)
            if scheme is None or scheme[1] in _DANGEROUS:
                raise TemplateSyntaxError(f"href {href!r}: an e-mail cannot link to it: {_NEEDED}", 1)
            return href
        if OPEN not in href and (fault := fault_of(unescape(href))):
            raise TemplateSyntaxError(f"href {_shortened(href)!r}: {fault}", 1)
        target = unescape(self._mask.restore(href))
        if not shared or target not in self.targets:
            self.targets.append(target)
            return self._wrapped(href, len(self.targets) - 1)
        return self._wrapped(href, self.targets.index(target))

    def _url(self, match: re.Match[str]) -> str:
        url = self._without_tail(match[0])
        target = self._mask.restore(url)
        if not url or self._unsubscribes(url) or (url.startswith(OPEN) and target not in self.targets):
            return match[0]
        if target not in self.targets:
            self.targets.append(target)
        return self._wrapped(url, self.targets.index(target)) + match[0][len(url) :]

    def _without_tail(self, url: str) -> str:
        """Return the address without the punctuation or statement that follows it in a sentence."""
        for placeholder in PLACEHOLDER.finditer(url):
            if self._mask.codes[int(placeholder[1])].kind == "statement":
                url = url[: placeholder.start()]
                break
        return _without_end_of_sentence(url)

    def _unsubscribes(self, href: str) -> bool:
        placeholder = PLACEHOLDER.match(href)
        return placeholder is not None and self._mask.codes[int(placeholder[1])].words[:1] == (UNSUBSCRIBE,)

    def _wrapped(self, href: str, link: int) -> str:
        begin = self._mask.add(Segment("statement", f"{{% filter {CLICKED}({link}) %}}"))
        return begin + href + self._mask.add(Segment("statement", "{% endfilter %}"))


def tracked(link: int, href: str) -> str:
    """Return the Jinja code for the tracked address of a link; `href` is its target, escaped as in an attribute."""
    return f"{{% filter {CLICKED}({link}) %}}{href}{{% endfilter %}}"


def clicked(context: RenderContext, href: bytes, link: int) -> bytes:
    """Return the tracked address for a link's target `href`, escaped if the target is."""
    context.spend(len(href))
    links: Links = context.parent[NAME]
    written = href.decode()
    if not context.eval_ctx.autoescape:
        return links.clicked(link, written).encode()
    address = links.clicked(link, _unescaped(written) if "&" in written else written)
    return (escape(address) if "&" in address or "'" in address or '"' in address else address).encode()


def web_target(written: str) -> str | None:
    """Return the address in printable ASCII (RFC 3987 section 3.1); None unless it is absolute http(s)."""
    target = written.strip()
    if tokens.is_web(target):
        return target
    target = _in_ascii(target)
    return target if tokens.is_web(target) else None


def is_harmless(target: str) -> bool:
    """Return True if the target needs no tracking: an e-mail address, a telephone number, a calendar, an anchor."""
    return target.strip().lower().startswith(_HARMLESS) and not _CONTROL.search(target)


def fault_of(target: str) -> str | None:
    """Return why an e-mail cannot link to the target and what is needed; None if it can."""
    if web_target(target) is not None or is_harmless(target):
        return None
    chars = len(_in_ascii(target.strip()))
    if chars > tokens.TARGET_CHARS_MAX and target.strip().lower().startswith(_WEB):
        return f"has {chars:,} characters, where a link may have at most {tokens.TARGET_CHARS_MAX:,}"
    return f"is not a web address: {_NEEDED}"


def fault_of_fixed(href: str) -> str | None:
    """Return why a template cannot contain this target and what is needed; None if it can."""
    scheme = _SCHEME.match(href.lstrip().lower())
    if scheme is None or scheme[1] in _DANGEROUS:
        return f"is no address to link to: {_NEEDED}"
    return fault_of(href) if scheme[1] in ("http", "https") else None


@lru_cache(maxsize=256)
def _unescaped(written: str) -> str:
    if written.count("&") == written.count("&amp;"):
        return written.replace("&amp;", "&")
    return unescape(written)


def _in_ascii(target: str) -> str:
    """Return the address with host and path encoded; empty if that is impossible."""
    if _CONTROL.search(target):
        return ""
    try:
        parts = urlsplit(target)
        rest = (quote(part, safe=_SAFE_IN_URL) for part in parts[2:])
        return urlunsplit((parts.scheme, _ascii_host(parts.netloc), *rest))
    except ValueError:
        return ""


def _ascii_host(place: str) -> str:
    if place.isascii():
        return place
    user, at, host_and_port = place.rpartition("@")
    host, colon, port = host_and_port.partition(":")
    return user + at + host.encode("idna").decode("ascii") + colon + port


def _without_end_of_sentence(url: str) -> str:
    """Return the address without the punctuation at its end; a closing bracket that it opens belongs to it."""
    while url.endswith(_END_OF_SENTENCE):
        bracket = _BRACKETS.get(url[-1])
        if bracket and url.count(bracket) >= url.count(url[-1]):
            break
        url = url[:-1]
    return url


def _shortened(href: str) -> str:
    return href if len(href) <= _SHOWN_CHARS else f"{href[:_SHOWN_CHARS]}…"


class TrialLinks:
    """Addresses for a trial render; `faults` collects why the targets of links, by their number, are invalid."""

    pixel = "https://trial.invalid/o"
    unsubscribe = "https://trial.invalid/u"

    def __init__(self) -> None:
        self.faults: dict[int, str] = {}

    def clicked(self, link: int, target: str) -> str:
        fault = fault_of(target)
        if fault:
            self.faults[link] = fault
        return "https://trial.invalid/c"
