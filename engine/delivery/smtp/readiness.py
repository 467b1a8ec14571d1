"""Readiness of sockets by epoll. Used directly because `selectors` costs 2 µs more for each call."""

import select
from typing import Any

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
BROKEN = select.EPOLLHUP | select.EPOLLERR  # always reported; reading or writing then raises the error


class Readiness:
    """The wires of one pool by file descriptor; `poll` returns descriptors, each with the events it is ready for."""

    __slots__ = ("_epoll", "poll", "wires")

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.poll = self._epoll.poll  # called for each message, therefore not wrapped in a method
        self.wires: dict[int, Any] = {}

    def add(self, fd: int, mask: int, wire: object) -> None:
        """Watch `fd` for the events in `mask`."""
        self._epoll.register(fd, mask)
        self.wires[fd] = wire

    def change(self, fd: int, mask: int) -> None:
        """Watch `fd` for other events."""
        self._epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Stop watching `fd`. Call this before closing it, because the number is used again."""
        self._epoll.unregister(fd)
        del self.wires[fd]

    def wait(self, timeout_s: float) -> list[tuple[Any, int]]:
        """Return the ready wires, each with its events; none if `timeout_s` passes first."""
        return [(self.wires[fd], mask) for fd, mask in self.poll(timeout_s)]
