"""Blocks of 16 random bytes, read from the system many at a time.

Each read from the system gives up the interpreter lock. Beside fifteen busy threads a thread then waits for the lock
again, at each id and each token that it makes.
"""

import os

SIZE = 16
_AT_ONCE = 256

_blocks: list[bytes] = []


def block() -> bytes:
    """Return 16 random bytes of the system, which nobody else gets. Safe to call from any thread."""
    while True:
        try:
            return _blocks.pop()
        except IndexError:
            data = os.urandom(_AT_ONCE * SIZE)
            _blocks.extend(data[at : at + SIZE] for at in range(0, len(data), SIZE))


# A child process must not use the blocks that its parent uses.
os.register_at_fork(after_in_child=_blocks.clear)
