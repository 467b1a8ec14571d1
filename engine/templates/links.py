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

# The CSS inliner writes every attribute in double quotes.
_ANCHOR = re.compile(r'<a((?: [^\s=>"]+="[^"]*")*)>')
_HREF = re.compile(r' href="([^"]*)"')
_NO_TRACK = ' data-no-track=""'
_WEB = ("http://", "https://")
_HARMLESS = ("mailto:", "tel:", "sms:", "#")
_URL_IN_TEXT = re.compile(
    f'{PLACEHOLDER.pattern}|https?://(?:[^\\s<>"{OPEN}{CLOSE}]|{PLACEHOLDER.pattern})+', re.IGNORECASE
)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_END_OF_SENTENCE = ".,;:!?)'"
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
        """Return the masked HTML with every `<a href>` to a web address tracked, except those with data-no-track.

        Raise TemplateSyntaxError for a fixed target that an e-mail cannot link to.
        """
        return _ANCHOR.sub(self._anchor, html)

    def in_text(self, text: str) -> str:
        """Return the masked text with its web addresses tracked; those of the HTML keep their numbers."""
        return _URL_IN_TEXT.sub(self._url, text)

    def _anchor(self, match: re.Match[str]) -> str:
        if _NO_TRACK in match[0]:
            return match[0].replace(_NO_TRACK, "")
        return _HREF.sub(lambda href: f' href="{self._tracked(href[1])}"', match[0], count=1)

    def _tracked(self, href: str) -> str:
        fixed = href.partition(OPEN)[0].lstrip().lower()
        if href in ("", "#") or fixed.startswith(_HARMLESS) or self._unsubscribes(href):
            return href
        if fixed and not fixed.startswith(_WEB):
            raise TemplateSyntaxError(f"href {href!r}: an e-mail cannot link to it: http(s) or mailto is needed", 1)
        if OPEN not in href and web_target(unescape(href)) is None:
            raise TemplateSyntaxError(f"href {href!r}: is not a web address", 1)
        self.targets.append(unescape(self._mask.restore(href)))
        return self._wrapped(href, len(self.targets) - 1)

    def _url(self, match: re.Match[str]) -> str:
        url = self._without_tail(match[0])
        target = self._mask.restore(url)
        if not url or self._unsubscribes(url) or (url.startswith(OPEN) and target not in self.targets):
            return match[0]
        if target not in self.targets:
            self.targets.append(target)
        return self._wrapped(url, self.targets.index(target)) + match[0][len(url) :]

    def _without_tail(self, url: str) -> str:
        """Return the address without the full stop or statement that follows it in a sentence."""
        for placeholder in PLACEHOLDER.finditer(url):
            if self._mask.codes[int(placeholder[1])].kind == "statement":
                url = url[: placeholder.start()]
                break
        return url.rstrip(_END_OF_SENTENCE)

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
    if _CONTROL.search(target):
        return None
    try:
        parts = urlsplit(target)
        rest = (quote(part, safe=_SAFE_IN_URL) for part in parts[2:])
        target = urlunsplit((parts.scheme, _ascii_host(parts.netloc), *rest))
    except ValueError:
        return None
    return target if tokens.is_web(target) else None


def is_harmless(target: str) -> bool:
    """Return True if the target needs no tracking: an e-mail address, a telephone number, an anchor."""
    return target.strip().lower().startswith(_HARMLESS) and not _CONTROL.search(target)


@lru_cache(maxsize=256)
def _unescaped(written: str) -> str:
    if written.count("&") == written.count("&amp;"):
        return written.replace("&amp;", "&")
    return unescape(written)


def _ascii_host(place: str) -> str:
    if place.isascii():
        return place
    user, at, host_and_port = place.rpartition("@")
    host, colon, port = host_and_port.partition(":")
    return user + at + host.encode("idna").decode("ascii") + colon + port
