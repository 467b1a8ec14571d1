"""The embedded Valkey: start, stop, kill, and durability."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import errors
from local import ports
from local.valkey import Valkey


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server on a fresh folder."""
    server = Valkey(tmp_path / "valkey", ports.free(), "pass/word @ all")
    server.start()
    yield server
    server.kill()


def _client(server: Valkey) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def test_it_keeps_queues_rather_than_evicting_them_when_started(server: Valkey) -> None:
    with _client(server) as client:
        names = ("appendonly", "appendfsync", "maxmemory-policy", "maxmemory", "bind")
        shown = {name: client.config_get(name)[name] for name in names}
    assert shown == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(256 * 1024 * 1024),
        "bind": "127.0.0.1",
    }


def test_a_client_is_refused_when_it_has_no_password(server: Valkey) -> None:
    with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(redis.AuthenticationError):
        client.get("anything")


def test_the_password_is_not_on_the_command_line_when_running(server: Valkey) -> None:
    assert "pass/word" not in " ".join(psutil.Process(server.pid).cmdline())


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_data_survives_the_end_and_a_new_start(server: Valkey, end: str) -> None:
    with _client(server) as client:
        client.lpush("queue", *range(100))
    getattr(server, end)()
    assert server.pid is None
    server.start()
    with _client(server) as client:
        assert client.llen("queue") == 100


def test_start_gives_the_reason_when_the_port_is_taken(server: Valkey, tmp_path: Path) -> None:
    second = Valkey(tmp_path / "second", server.port, "password")
    with pytest.raises(errors.Unavailable, match="Address already in use"):
        second.start()


def test_start_is_refused_when_the_folder_is_in_use(server: Valkey, tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable, match="in use"):
        Valkey(tmp_path / "valkey", ports.free(), "password").start()


def test_a_password_that_would_change_the_configuration_is_refused_when_given(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="password"):
        Valkey(tmp_path / "valkey", ports.free(), 'x"\nprotected-mode no')
