"""The real application on a disk that syncs nothing before the file named by DISK_READY exists."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

import web
from engine.ingest.spool import Spool
from engine.tracking.events import Entry


def create_app() -> Flask:
    """Return the application that granian serves."""
    ready, add = Path(os.environ["DISK_READY"]), Spool.add

    def wait_and_add(spool: Spool, entries: Sequence[Entry]) -> None:
        while not ready.exists():
            time.sleep(0.01)
        add(spool, entries)

    Spool.add = wait_and_add  # type: ignore[method-assign,assignment]  # another method of Spool
    return web.create_app()
