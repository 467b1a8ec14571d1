"""The real application in a web server that dies by SIGKILL after a commit, where it is about to ring.

FATAL_RINGS names a file; a web process that comes to ring adds a line to it and is gone.
"""

import os
import signal
from pathlib import Path

from flask import Flask

import web
from engine import bell


def create_app() -> Flask:
    """What granian serves."""
    rings = Path(os.environ["FATAL_RINGS"])

    def die(queue: str) -> None:
        with rings.open("a") as noted:
            noted.write(f"{queue}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    bell.ring = die  # type: ignore[assignment]
    return web.create_app()
