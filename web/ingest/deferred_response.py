"""Deferred responses: sent by another thread when their work is done, so that no thread waits for it.

WSGI has no such thing, but granian accepts a response from any thread while its callback object exists. So the function
it calls for each request is wrapped: below some paths `environ` has a `DeferredResponse`, which the response goes
through. Under any other server, and in tests without one, there is none, and the request's thread waits.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

KEY = "cadencia.deferred_response"


class DeferredResponse:
    """The response to one request: sent when the application has returned it and it is not deferred."""

    __slots__ = ("_granian", "_is_deferred", "_response")

    def __init__(self, granian: Any) -> None:
        self._granian = granian
        self._response: tuple[Any, ...] | None = None
        self._is_deferred = False

    def defer(self) -> None:
        """Send nothing until `send`; to be called before the application returns."""
        self._is_deferred = True

    def send(self) -> None:
        """Send the response, now or as soon as the application returns it; for any thread."""
        self._is_deferred = False
        if self._response is not None:
            self._granian.response_bytes(*self._response)

    def replace(self, status: int, fields: list[tuple[str, str]], content: bytes) -> None:
        """Send this response instead of the one that the application will return; for any thread."""
        self._is_deferred = True  # granian would ignore a second one
        self._granian.response_bytes(status, fields, content)

    def response_bytes(self, *response: Any) -> None:
        """Take granian's response; if two threads send it at the same moment, granian ignores the second."""
        self._response = response
        if not self._is_deferred:
            self._granian.response_bytes(*response)

    def response_iter(self, status: int, fields: list[tuple[str, str]], content: Any) -> None:
        """Take granian's streamed response, such as each of Flask's; if it is deferred, with its whole content."""
        if not self._is_deferred:
            self._granian.response_iter(status, fields, content)
            return
        try:
            whole = b"".join(content.inner)
        finally:
            content.close()
        self.response_bytes(status, fields, whole)


def install(*, paths: tuple[str, ...], also: Callable[[dict[str, Any]], bool]) -> None:
    """Under granian, pass the responses to requests below these paths, and to those of `also`, through this module."""
    server = sys.modules.get("granian.server.mp")
    if server is not None:
        vars(server)["_wsgi_call_wrap"] = partial(_wrapper, paths, also)


def _wrapper(
    paths: tuple[str, ...], also: Callable[[dict[str, Any]], bool], *arguments: Any
) -> Callable[[Any, dict[str, Any]], object]:
    """Wrap granian's function of that name."""
    call = sys.modules["granian.wsgi"]._callback_wrapper(*arguments)

    def called(granian: Any, scope: dict[str, Any]) -> object:
        if scope["PATH_INFO"].startswith(paths) or also(scope):
            scope[KEY] = granian = DeferredResponse(granian)
        return call(granian, scope)

    return called
