"""A fast path for pixels, clicks and landing pages in front of Flask, whose dispatch costs more than the work.

It answers as the views `pixels.opened`, `clicks.clicked` and `landing_pages.show` do, headers included. Every other
request than a GET or HEAD with a valid token, or for a page in memory, goes on to Flask, which handles all errors.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from werkzeug.datastructures import Headers

from errors import NotFound
from web.http import headers
from web.ingest import deferred_response
from web.ingest.group_commit import Ingest
from web.process import Process
from web.public import hits
from web.public.landing_pages import page_cache
from web.public.landing_pages.page_cache import PageCache

Start: TypeAlias = Callable[..., Any]
Wsgi: TypeAlias = Callable[[dict[str, Any], Start], Iterable[bytes]]
PATHS = _PIXELS, _CLICKS = "/o/", "/c/"
_METHODS = ("GET", "HEAD")


class Front:
    """A WSGI middleware."""

    def __init__(self, behind: Wsgi, process: Process, ingest: Ingest, pages: PageCache) -> None:
        self._behind = behind
        self._pages = pages
        self._process = process
        self._ingest = ingest
        self._always = list(headers.add_defaults(Headers(), process.settings))
        always = [pair for pair in self._always if pair[0] != "Cache-Control"]
        self._other = [pair for pair in always if pair[0] != "Content-Security-Policy"]
        self._pixel = [*hits.HEADERS.items(), ("Content-Type", "image/gif"), ("Content-Length", "43"), *always]
        self._click = [*hits.HEADERS.items(), ("Content-Type", "text/html; charset=utf-8"), *always]

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer a pixel or a click; pass on any other request."""
        self._ingest.drain_orphans()
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        try:
            if method in _METHODS and path.startswith(_PIXELS) and path.endswith(".gif"):
                return self._opened(environ, start, path[3:-4])
            if method in _METHODS and path.startswith(_CLICKS):
                return self._clicked(environ, start, path[3:])
            if path.startswith(page_cache.PATH) and method in _METHODS and (shown := self._pages.answer(environ)):
                return self._shown(environ, start, *shown)
        except NotFound:
            pass
        return self._behind(environ, start)

    def _opened(self, environ: dict[str, Any], start: Start, token: str) -> Iterable[bytes]:
        self._ingest.store(hits.opened(self._process, token, environ), environ.get(deferred_response.KEY))
        start("200 OK", self._pixel)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else hits.GIF]

    def _clicked(self, environ: dict[str, Any], start: Start, token: str) -> Iterable[bytes]:
        hit, target = hits.clicked(self._process, token, environ)
        self._ingest.store(hit, environ.get(deferred_response.KEY))
        start("302 FOUND", [("Location", target), ("Content-Length", "0"), *self._click])
        return [b""]

    def _shown(self, environ: dict[str, Any], start: Start, fields: page_cache.Fields, html: bytes) -> Iterable[bytes]:
        start("200 OK", [*fields, ("Content-Length", str(len(html))), *self._other])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else html]
