"""Files that forms send: received under a limit and a deadline, few at once, and encrypted before they reach a disk."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import IO, Any, cast

from flask import Blueprint, Flask, Request, Response, current_app
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout

from engine.engagement.uploads.content import Spool
from errors import TooOften
from web import process
from web.http import bodies
from web.pages.frame.languages import gettext

DEADLINE_S = 600.0
AT_ONCE_MAX = 3  # files that a process receives at once; each occupies a thread
_SLOTS = "pages-uploads"
_PART_MAX = 65_536


class PageRequest(Request):
    """A request whose form is read within the limit of its view (`bodies.at_most`), and whose files are spooled.

    Reading the form raises RequestEntityTooLarge and, if it may have files, RequestTimeout and TooOften.
    """

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        view = current_app.view_functions.get(self.endpoint or "")
        if view is not None:
            self.max_content_length = getattr(process.current().settings, bodies.limit_of(view))
        if self.mimetype != "multipart/form-data":
            super()._load_form_data()
            return
        slots: threading.BoundedSemaphore = current_app.extensions[_SLOTS]
        if not slots.acquire(blocking=False):
            raise TooOften("files: too many are being received; try again in a minute", wait_s=60)
        try:
            self.environ["wsgi.input"] = _Timed(self.environ["wsgi.input"], monotonic() + DEADLINE_S)
            super()._load_form_data()
        finally:
            slots.release()

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return cast(IO[bytes], Spool())


def install(app: Flask) -> None:
    """Let `app` receive files."""
    app.request_class = PageRequest
    app.extensions[_SLOTS] = threading.BoundedSemaphore(AT_ONCE_MAX)


def explain_refusals(
    views: Blueprint, page: Callable[[int, str], Response], *, late: str, too_large: Callable[[], str]
) -> None:
    """Answer with `page`, given a status and a reason, if a file of these views is not received to its end.

    `late` is a text to translate, `too_large` returns a translated one.
    """

    def refuse(error: HTTPException) -> Response:
        return page(408, gettext(late)) if isinstance(error, RequestTimeout) else page(413, too_large())

    def ask_to_wait(error: TooOften) -> Response:
        response = page(429, gettext("Several files are being received already. Try again in a minute."))
        response.headers["Retry-After"] = str(error.wait_s)
        return response

    views.register_error_handler(RequestEntityTooLarge, refuse)
    views.register_error_handler(RequestTimeout, refuse)
    views.register_error_handler(TooOften, ask_to_wait)


def spool(file: FileStorage) -> Spool:
    """Return the content of a file that was received."""
    return cast(Spool, file.stream)


class _Timed:
    """A body that must be complete at the deadline.

    A read of the server ends only with all its bytes. So each read asks for an eighth of the bytes received so far, and
    a sender of single bytes is noticed soon after the deadline.
    """

    def __init__(self, source: Any, deadline: float) -> None:
        self._source = source
        self._deadline = deadline
        self._received = 0

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, or fewer at the end of the body."""
        wanted = size if size >= 0 else _PART_MAX
        content = bytearray()
        while len(content) < wanted:
            if monotonic() > self._deadline:
                raise RequestTimeout
            part: bytes = self._source.read(min(max(1, self._received // 8), wanted - len(content), _PART_MAX))
            if not part:
                break
            self._received += len(part)
            content += part
        return bytes(content)
