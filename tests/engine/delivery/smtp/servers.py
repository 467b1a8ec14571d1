"""A scriptable SMTP server on a real socket, whose replies a rule decides (see `dialogue`)."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.engine.delivery.smtp.dialogue import Behaviour, Dialogue, Over, Visit


@dataclass
class Server(Behaviour):
    """Serves each connection in a thread."""

    implicit_tls: bool = False

    def __post_init__(self) -> None:
        self.visits: list[Visit] = []
        self.connected_at: list[float] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def commands(self) -> list[str]:
        return [command for visit in self.visits for command in visit.commands]

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Refuse new connections and close the open ones."""
        self.close_listener()
        self.hang_up()

    def close_listener(self) -> None:
        """Refuse new connections and keep the open ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def hang_up(self) -> None:
        """Close the open connections and accept new ones."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def wait_for_the_end(self) -> None:
        """Wait until each connection is closed and everything that came on it was read."""
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a connection is still open"

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connected_at.append(time.monotonic())
            visit = Visit(len(self.connected_at))
            self.visits.append(visit)
            self._threads.append(threading.Thread(target=self._serve, args=(connection, visit), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket, visit: Visit) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, Over):
            if self.implicit_tls:
                assert self.context is not None
                connection = self.context.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            Dialogue(self, connection, visit).run()
        connection.close()
