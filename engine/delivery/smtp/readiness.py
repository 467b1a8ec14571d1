"""What can be read or written now: epoll itself, since `selectors` costs 2 µs more each time it is asked."""

import select
from typing import Any

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLHUP | select.EPOLLERR  # reported unasked; reading or writing then says what it is


class Readiness:
    """The wires of one pool, by file descriptor; `poll` gives descriptors, each with what it is ready for."""

    __slots__ = ("_epoll", "poll", "wires")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.poll = self._epoll.poll  # called for each message: without a method of ours around it
        self.wires: dict[int, Any] = {}

    def add(self, fd: int, mask: int, wire: object) -> None:
        """Watch `fd` for what `mask` says."""
        self._epoll.register(fd, mask)
        self.wires[fd] = wire

    def change(self, fd: int, mask: int) -> None:
        """Watch it for something else."""
        self._epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Watch it no more; to be called before it is closed, for its number comes again."""
        self._epoll.unregister(fd)
        del self.wires[fd]

    def wait(self, patience_s: float) -> list[tuple[Any, int]]:
        """The wires that are ready, each with what for; none when `patience_s` pass first."""
        return [(self.wires[fd], mask) for fd, mask in self.poll(patience_s)]
