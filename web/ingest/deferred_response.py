"""Answers held back until something is done, without a thread that waits for it.

WSGI has no word for that, but granian can be answered from any thread: it waits as long as there is somebody who could.
So what it calls for each request is wrapped: below some paths `environ` gets a `Held`, and the answer goes through it.
Under any other server, and in tests without one, there is none, and whoever would hold an answer waits in its thread.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

KEY = "cadencia.held"


class Held:
    """The answer to one request: sent once the application has given it and nobody holds it."""

    __slots__ = ("_answer", "_granian", "_is_held")

    def __init__(self, granian: Any) -> None:
        self._granian = granian
        self._answer: tuple[Any, ...] | None = None
        self._is_held = False

    def hold(self) -> None:
        """Send nothing until `release`; to be called before the application returns."""
        self._is_held = True

    def release(self) -> None:
        """From any thread: send it, now or as soon as it is given."""
        self._is_held = False
        if self._answer is not None:
            self._granian.response_bytes(*self._answer)

    def response_bytes(self, *answer: Any) -> None:
        """As granian's own, which is called with the answer; of two that send at the same moment it takes the first."""
        self._answer = answer
        if not self._is_held:
            self._granian.response_bytes(*answer)

    def response_iter(self, *answer: Any) -> None:
        """As granian's own; what is streamed is never held."""
        self._granian.response_iter(*answer)


def install(*, paths: tuple[str, ...]) -> None:
    """Where granian serves this process, have answers to requests below these paths pass through a `Held`."""
    server = sys.modules.get("granian.server.mp")
    if server is not None:
        vars(server)["_wsgi_call_wrap"] = partial(_wrapper, paths)


def _wrapper(paths: tuple[str, ...], *arguments: Any) -> Callable[[Any, dict[str, Any]], object]:
    """In place of granian's own of that name, and around it."""
    call = sys.modules["granian.wsgi"]._callback_wrapper(*arguments)

    def called(granian: Any, scope: dict[str, Any]) -> object:
        if scope["PATH_INFO"].startswith(paths):
            scope[KEY] = granian = Held(granian)
        return call(granian, scope)

    return called
