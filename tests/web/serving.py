"""The application on a port of its own, in this process, for tests with a browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from local import ports
from tests.conftest import environment
from tests.web import applications


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Print nothing for each request."""


@contextmanager
def served(server: Any) -> Iterator[None]:
    """Let a server answer in a thread during the block."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def application(port: int = 0, **settings: str) -> Iterator[tuple[Flask, str]]:
    """Serve the application on a port of its own; yield it and its URL."""
    port = port or ports.free()
    url = f"http://127.0.0.1:{port}"
    with environment(PUBLIC_URL=url, **settings):
        app = applications.create()
        with served(make_server("127.0.0.1", port, app, threaded=True, request_handler=_Silent)):
            yield app, url
