"""Free TCP ports on this machine."""

import fcntl
import os
import socket
import sys
from functools import cache
from pathlib import Path

HOST = "127.0.0.1"
# The same folder for all processes of a user: TMPDIR may differ between two installations that start together.
_RESERVED = Path("/tmp")  # noqa: S108  # the folder in it is private, and holds empty files


def free() -> int:
    """Return a port that nobody listens on, picked by the system. Use it soon: nothing reserves it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return True if a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@cache
def reserve(port: int) -> bool:
    """Reserve the port until this process ends; return False if another process of this user reserved it.

    Between the choice and the server's start a port looks free, and granian listens with SO_REUSEPORT. Without this,
    two installations started together would share a port, and each would answer requests to the other.
    """
    folder = _RESERVED / f"cadencia-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    return True


def choose(name: str, preferred: int, *, attempts: int = 100) -> int:
    """Return the preferred port, or the next free one above it and say so on standard error.

    Raise OSError if none of the `attempts` ports from `preferred` on is free.
    """
    for port in range(preferred, min(preferred + attempts, 65_536)):
        if is_free(port) and reserve(port):
            if port != preferred:
                print(f"{name}: port {preferred} is taken, using {port}.", file=sys.stderr)
            return port
    raise OSError(f"{name}: ports {preferred} to {preferred + attempts - 1} are all taken; free one of them")
