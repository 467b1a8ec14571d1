"""Bodies of public routes: received under a deadline, in bounded number, and without one of the threads for views.

Anyone may send such a body, at any speed. granian takes a thread of its pool for each request and cannot end a read, so
forty connections with one byte each would stop everything. So granian has READERS_MAX threads more than views may run
at once (WEB_THREADS), and at most that many receive bodies. Other routes check the caller's token before they read. The
rest of a large body that a view refused is received in the same way, and discarded.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Any, TypeAlias

from flask import Flask
from werkzeug.datastructures import Headers

from settings import Settings
from web.http import auth, errors, headers, rate_limits
from web.ingest import deferred_response
from web.ingest.deferred_response import DeferredResponse
from web.wsgi import connections, unread

DEADLINE_S = 10.0
READERS_MAX = 48  # bodies received at once by this process; granian's --blocking-threads is WEB_THREADS and this
PER_ADDRESS_MAX = 16
_CHECK_EVERY_S = 0.25
_END_AFTER_S = 1.0  # from the 408 until the connection of a body that goes on, or falls silent, is closed for reading
_Reply: TypeAlias = tuple[int, list[tuple[str, str]], bytes]  # status, headers and content
_BODILESS = ("GET", "HEAD", "OPTIONS")


def paths(app: Flask) -> tuple[str, ...]:
    """Return the beginnings of the paths of public routes that take a body."""
    return tuple(
        sorted(
            {
                rule.rule.partition("<")[0]
                for rule in app.url_map.iter_rules()
                if (rule.methods or set()) - set(_BODILESS)
                and (access := auth.access_of(app.view_functions[rule.endpoint]))
                and access.public
            }
        )
    )


@dataclass(slots=True, eq=False)
class _Body:
    """A body that is being received."""

    response: DeferredResponse
    caller: str
    deadline: float
    reply: _Reply | None = None  # at the deadline; None: 408
    is_late: bool = False
    answered: float = 0.0  # when the 408 was sent, by the monotonic clock


class PublicBodies:
    """A WSGI middleware. Without deferred responses (another server than granian) it only bounds the views."""

    def __init__(self, behind: Callable[..., Iterable[bytes]], app: Flask, settings: Settings) -> None:
        self._behind = behind
        self._paths = paths(app)
        self._settings = settings
        self._limit = max(settings.body_limit_bytes, settings.track_list_limit_bytes) + 1
        self._guard = threading.Lock()
        self._open: set[_Body] = set()
        self._is_watching = False
        # One token for each view that may run. A queue, because Python's semaphores cost several microseconds.
        self._views: SimpleQueue[None] = SimpleQueue()
        for _ in range(settings.web_threads):
            self._views.put(None)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Receive the body if it may be slow, then run the view."""
        response = environ.get(deferred_response.KEY)
        if response is not None and self._is_concerned(environ):
            body = _body(environ, response)
            if not self._is_admitted(body):
                _, fields, content = self._refusal(
                    HTTPStatus.SERVICE_UNAVAILABLE, "body: too many are being received; try again"
                )
                start("503 Service Unavailable", fields)
                return [content]
            if not self._is_received(body, environ):
                start("408 Request Timeout", [])  # was answered by the watch
                return [b""]
        if response is None or not unread.is_large(environ) or isinstance(environ["wsgi.input"], BytesIO):
            return self._view(environ, start)
        return self._with_large_body(environ, start, response)

    def _view(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self._views.get()
        try:
            return self._behind(environ, start)
        finally:
            self._views.put(None)

    def _with_large_body(
        self, environ: dict[str, Any], start: Callable[..., Any], response: DeferredResponse
    ) -> Iterable[bytes]:
        """Run the view, then discard what it left of the body, so that the client reads the response."""
        counted = environ["wsgi.input"] = unread.CountedInput(environ)
        answered: list[Any] = []
        chunks = self._view(environ, lambda status, fields, *_: answered.extend((int(status[:3]), fields)))
        content = b"".join(chunks)
        start(f"{answered[0]} {HTTPStatus(answered[0]).phrase}", answered[1])
        body = _body(environ, response, (*answered, content))
        if counted.must_be_discarded and self._is_admitted(body):
            try:
                while not body.is_late and counted.discard_part():
                    pass
            finally:
                with self._guard:
                    self._open.discard(body)
        return [content]

    def _is_concerned(self, environ: dict[str, Any]) -> bool:
        if environ["REQUEST_METHOD"] in _BODILESS or not environ["PATH_INFO"].startswith(self._paths):
            return False
        size = environ.get("CONTENT_LENGTH") or "0"
        if "HTTP_TRANSFER_ENCODING" in environ:
            return True
        return size.isdecimal() and 0 < int(size) < self._limit  # the view refuses a larger one unread

    def _is_admitted(self, body: _Body) -> bool:
        with self._guard:
            of_caller = sum(each.caller == body.caller for each in self._open)
            if len(self._open) >= READERS_MAX or of_caller >= PER_ADDRESS_MAX:
                return False
            self._open.add(body)
            if not self._is_watching:
                self._is_watching = True
                threading.Thread(target=self._watch, name="public-bodies", daemon=True).start()
            return True

    def _is_received(self, body: _Body, environ: dict[str, Any]) -> bool:
        """Put the whole body into `environ`; return False if it was late, and answered.

        One read, because each gives up the interpreter lock and waits for it again. The watch ends one that takes long.
        """
        try:
            content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or self._limit))
        finally:
            with self._guard:
                self._open.discard(body)
        environ["wsgi.input"] = BytesIO(content)
        return not body.is_late

    def _refusal(self, status: HTTPStatus, detail: str) -> _Reply:
        """Return a response that ends the connection."""
        answer = errors.problem(status, detail)
        answer.headers["Connection"] = "close"
        answer.headers["Retry-After"] = str(errors.RETRY_AFTER_S)
        return int(status), list(headers.add_defaults(Headers(answer.headers), self._settings)), answer.data

    def _too_slow(self) -> _Reply:
        return self._refusal(HTTPStatus.REQUEST_TIMEOUT, f"body: not complete within {DEADLINE_S:.0f} s")

    def _watch(self) -> None:
        """Answer 408 to requests whose deadline has passed, and end their connections, while there are any."""
        while True:
            sleep(_CHECK_EVERY_S)
            with self._guard:
                late = [each for each in self._open if not each.answered and each.deadline < monotonic()]
                for body in late:
                    body.is_late = True
                waiting = {each.answered for each in self._open if each.answered}
                goes_on = self._is_watching = bool(self._open)
            for answered in waiting:
                if (ago := monotonic() - answered) >= _END_AFTER_S:
                    with suppress(OSError):  # the watch must go on, and tries again
                        connections.end_reading(round(ago * 1_000))
            for body in late:
                body.response.replace(*(body.reply or self._too_slow()))
                body.answered = monotonic()
            if not goes_on:
                return


def _body(environ: dict[str, Any], response: DeferredResponse, reply: _Reply | None = None) -> _Body:
    return _Body(response, rate_limits.network(environ["REMOTE_ADDR"]), monotonic() + DEADLINE_S, reply)
