"""Cache of published pages, and the responses to their visits, made without Flask and without the database.

A page is checked against the database once a second (see `renewal`). `front` answers nearly all visits by
`PageCache.answer`; the view answers the others.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, urlencode

from flask import Flask, current_app
from markupsafe import escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from engine.forms import definitions
from engine.forms.signer import Signer
from engine.landing import visits
from engine.landing.published import PublishedPage
from engine.tracking import views
from web.ingest.view_counter import ViewCounter
from web.process import Process
from web.public import hits, landing
from web.public.forms import markup
from web.public.landing_pages import rendering
from web.public.landing_pages.rendering import Rendered

CHECKED_EVERY_S = 1.0
PAGES_MAX = 100
PATH = "/p/"
_LANGUAGE = "lang"
_PARAMETERS_MAX, _QUERY_CHARS = 50, 4_000
_NAME = "cadencia-landing-pages"
_GREETINGS = {"es": "Hola, {}:", "en": "Hello {},"}

Fields: TypeAlias = list[tuple[str, str]]


@dataclass(slots=True)
class CachedPage:
    """A published page and its renderings by language."""

    page: PublishedPage
    renderings: Mapping[str, Rendered]
    checked_at: float = field(default_factory=monotonic)


class Query(NamedTuple):
    """The parameters of an address that a page reads."""

    language: str
    utm: Mapping[str, str]
    email_id: str

    @property
    def source(self) -> str:
        """The source by which the visit is counted."""
        return views.source_of(self.utm.get("utm_source", ""))


_NOTHING = Query("", {}, "")


class PageCache:
    """The published pages of one process; shared by its threads."""

    def __init__(self, process: Process) -> None:
        self.visits = ViewCounter(visits.add)
        self.first = threading.Lock()  # locked while a page is loaded for the first time
        self._process = process
        self._signer = Signer(process.settings.tracking_ring)
        self._pages: OrderedDict[str, CachedPage] = OrderedDict()
        self._guard = threading.Lock()

    def fresh(self, slug: str) -> CachedPage | None:
        """Return a page that was checked within the last second."""
        cached = self._pages.get(slug)
        return None if cached is None or monotonic() - cached.checked_at > CHECKED_EVERY_S else cached

    def to_check(self, slug: str) -> tuple[CachedPage | None, bool]:
        """Return a cached page, and True if the caller must check it; of concurrent callers only one must."""
        with self._guard:
            cached = self._pages.get(slug)
            must_check = cached is None or monotonic() - cached.checked_at > CHECKED_EVERY_S
            if cached is not None and must_check:
                cached.checked_at = monotonic()
        return cached, must_check

    def put(self, cached: CachedPage) -> None:
        """Keep a page, at most `PAGES_MAX` of them."""
        with self._guard:
            self._pages[cached.page.slug] = cached
            self._pages.move_to_end(cached.page.slug)
            while len(self._pages) > PAGES_MAX:
                self._pages.popitem(last=False)

    def remove(self, slug: str) -> None:
        """Remove a page that is not published any more."""
        with self._guard:
            self._pages.pop(slug, None)

    def answer(self, environ: Mapping[str, Any]) -> tuple[Fields, bytes] | None:
        """Return headers and content of a visit; None if the page must be checked or may greet the reader."""
        cached = self.fresh(environ["PATH_INFO"][len(PATH) :])
        if cached is None:
            return None
        query = read(environ)
        return None if query.email_id else self.response(cached, query, environ)

    def response(
        self, cached: CachedPage, query: Query, environ: Mapping[str, Any], first_name: str = ""
    ) -> tuple[Fields, bytes]:
        """Count a visit, and return headers and content. A response with a first name may not be stored by caches."""
        self.visits.count(cached.page.current.page_id, query.source, hits.observed(self._process, environ))
        rendered = cached.renderings[self.language(cached, query, environ)]
        content = rendered.filled(self.gaps(cached, query, rendered.language, first_name))
        return self.fields(rendered, is_personal=bool(first_name)), content

    def gaps(self, cached: CachedPage, query: Query, language: str, first_name: str = "") -> dict[str, bytes]:
        """Return the values of a page's gaps."""
        gaps = {}
        if cached.page.form:
            gaps[rendering.STAMP] = self._signer.stamp(cached.page.form.id, datetime.now(UTC)).encode()
        if query.utm:
            gaps[rendering.UTM] = markup.utm_inputs(query.utm).encode()
            gaps[rendering.QUERY] = f"&amp;{escape(urlencode(query.utm))}".encode()
        if first_name:
            greeting = _GREETINGS[language].format(escape(first_name))
            gaps[rendering.GREETING] = f'<p class="greeting"><bdi>{greeting}</bdi></p>'.encode()
        return gaps

    @staticmethod
    def language(cached: CachedPage, query: Query, environ: Mapping[str, Any]) -> str:
        """Return the language of the address, else the browser's, else the first one of the page."""
        available = tuple(cached.renderings)
        if query.language in available:
            return query.language
        return _preferred(str(environ.get("HTTP_ACCEPT_LANGUAGE", ""))[:200], available)

    @staticmethod
    def fields(rendered: Rendered, *, is_personal: bool) -> Fields:
        """Return the header fields of a rendered page."""
        return [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", rendered.policy),
            ("Content-Language", rendered.language),
            ("Vary", "Accept-Language"),
            ("Cache-Control", "private, no-store" if is_personal else "private, no-cache"),
        ]


def read(environ: Mapping[str, Any]) -> Query:
    """Return the parameters of a request that a page uses; invalid ones count as absent."""
    text = environ.get("QUERY_STRING", "")
    if not text or len(text) > _QUERY_CHARS:
        return _NOTHING
    try:
        values = dict(parse_qsl(text, max_num_fields=_PARAMETERS_MAX, errors="strict"))
    except ValueError:  # also of UTF-8
        return _NOTHING
    utm = {name: values[name][: definitions.UTM_CHARS] for name in definitions.UTM if name in values}
    utm = {name: value for name, value in utm.items() if not definitions.has_control(value)}
    return Query(values.get(_LANGUAGE, ""), utm, values.get(landing.PARAMETER, ""))


@lru_cache(maxsize=1_024)
def _preferred(header: str, available: tuple[str, ...]) -> str:
    return parse_accept_header(header, LanguageAccept).best_match(available) or available[0]


def install(app: Flask, process: Process) -> None:
    """Attach the published pages to `app`."""
    app.extensions[_NAME] = PageCache(process)


def of(app: Flask) -> PageCache:
    """Return the published pages of `app`."""
    cache: PageCache = app.extensions[_NAME]
    return cache


def current() -> PageCache:
    """Return the published pages of the application that handles this request."""
    return of(current_app)
