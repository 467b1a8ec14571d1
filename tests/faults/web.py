"""The real application in a web server that kills itself after a commit, when it is about to ring.

FATAL_RINGS is the path of a file. A web process that rings adds a line to it and dies by SIGKILL.
"""

import os
import signal
from pathlib import Path

from flask import Flask

import web
from engine import bell


def create_app() -> Flask:
    """Return the application for granian."""
    rings = Path(os.environ["FATAL_RINGS"])

    def die(queue: str) -> None:
        with rings.open("a") as noted:
            noted.write(f"{queue}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    bell.ring = die  # type: ignore[assignment]
    return web.create_app()
