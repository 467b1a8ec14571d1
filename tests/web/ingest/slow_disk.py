"""The real application on a disk that opens no spool file while somebody holds a lock on the file DISK_GATE.

It adds a dot to the file DISK_REQUESTS for each request that it has passed on to the disk or answered.
"""

import fcntl
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Flask

import web
from engine.ingest.spool import SUFFIX
from web.public.front import Start


def create_app() -> Flask:
    """Return the application that granian serves."""
    gate, requests = Path(os.environ["DISK_GATE"]), Path(os.environ["DISK_REQUESTS"])

    def wait_at_the_gate(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(SUFFIX):
            with gate.open() as opened:
                fcntl.flock(opened, fcntl.LOCK_SH)

    app = web.create_app()
    serve = app.wsgi_app

    def count_and_serve(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        response = serve(environ, start)
        with requests.open("a") as opened:
            opened.write(".")
        return response

    app.wsgi_app = count_and_serve  # type: ignore[assignment,method-assign]
    sys.addaudithook(wait_at_the_gate)  # the interpreter calls it before it opens a file
    return app
