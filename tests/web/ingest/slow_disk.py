"""The real application, on a disk that syncs a hit no sooner than the file named by DISK_GOES is there."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

import web
from engine.ingest.spool import Spool
from engine.tracking.events import Entry


def create_app() -> Flask:
    """What granian serves."""
    goes, add = Path(os.environ["DISK_GOES"]), Spool.add

    def wait_and_add(spool: Spool, entries: Sequence[Entry]) -> None:
        while not goes.exists():
            time.sleep(0.01)
        add(spool, entries)

    Spool.add = wait_and_add  # type: ignore[method-assign,assignment]  # another method of Spool
    return web.create_app()
