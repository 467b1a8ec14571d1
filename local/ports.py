"""Which TCP ports on this machine can be taken."""

import fcntl
import os
import socket
import sys
import tempfile
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"


def free() -> int:
    """A port nobody listens on now, picked by the system. Take it soon: nothing reserves it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@cache
def reserve(port: int) -> bool:
    """Whether no other installation of this user has chosen this port; it is ours until this process ends.

    Between the choice and the server's start a port looks free, and granian listens with SO_REUSEPORT: without this,
    two installations started together would share a port, and each would answer the other's requests.
    """
    folder = Path(tempfile.gettempdir()) / f"cadencia-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    held = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return False
    return True


def choose(name: str, preferred: int, *, attempts: int = 100) -> int:
    """The preferred port, or the next free one above it with a line on standard error saying so.

    Raises OSError when none of the `attempts` ports from `preferred` on is free.
    """
    for port in range(preferred, min(preferred + attempts, 65_536)):
        if is_free(port) and reserve(port):
            if port != preferred:
                print(f"{name}: port {preferred} is taken, using {port}.", file=sys.stderr)
            return port
    raise OSError(f"{name}: ports {preferred} to {preferred + attempts - 1} are all taken; free one of them")
