"""The embedded PostgreSQL: start, stop, kill, and durability."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

import errors
from local import ports
from local.postgres import Postgres


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A durable server in a folder whose name is too long for a unix socket and has a space in it."""
    folder = tmp_path_factory.mktemp("cluster") / ("a long way down " * 10).strip() / "postgres"
    server = Postgres(folder, ports.free(), "a pass/word @ all")
    server.start()
    yield server
    server.stop()


def _connected(server: Postgres, database: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(server.url(database), autocommit=True)


def _shown(server: Postgres, setting: str) -> str:
    with _connected(server) as connection:
        [value] = connection.execute("select current_setting(%s)", [setting]).fetchone() or ()
    return str(value)


def test_cluster_is_durable_utf8_and_local_when_made(server: Postgres) -> None:
    shown = {
        name: _shown(server, name)
        for name in ("fsync", "synchronous_commit", "server_encoding", "listen_addresses", "TimeZone")
    }
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "TimeZone": "UTC",
    }


def test_a_wrong_password_is_refused_when_connecting(server: Postgres) -> None:
    url = server.url("postgres").replace("a%20pass", "another%20pass")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_create_does_nothing_when_the_database_exists(server: Postgres) -> None:
    server.create("one of mine")
    with _connected(server, "one of mine") as connection:
        connection.execute("create table kept (id int)")
    server.create("one of mine")
    with _connected(server, "one of mine") as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_committed_rows_are_there_when_killed_and_started_again(server: Postgres) -> None:
    with _connected(server) as connection:
        connection.execute("create table survived (id int)")
    busy = _connected(server)
    busy.execute("insert into survived select generate_series(1, 1000)")
    pids = [server.pid, *(child.pid for child in psutil.Process(server.pid).children())]
    server.kill()
    assert not [pid for pid in pids if _runs(pid)]
    server.start()
    with _connected(server) as connection:
        assert connection.execute("select count(*) from survived").fetchone() == (1000,)


def test_it_starts_again_when_only_the_postmaster_was_killed(server: Postgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, 9)
    server.kill()
    server.start()
    assert _shown(server, "port") == str(server.port)


def test_stop_is_quick_and_repeatable_when_a_client_is_connected(server: Postgres) -> None:
    client = _connected(server)
    server.stop()
    server.stop()
    assert server.pid is None
    server.start()
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")


def test_a_second_server_is_refused_when_the_folder_is_in_use(server: Postgres, tmp_path: Path) -> None:
    second = Postgres(server._child.folder, ports.free(), "a pass/word @ all")
    with pytest.raises(errors.Unavailable, match="in use by another running Cadencia"):
        second.start()
    assert _shown(server, "port") == str(server.port)


def test_start_fails_plainly_when_the_password_is_wrong(server: Postgres) -> None:
    server.stop()
    stranger = Postgres(server._child.folder, server.port, "another")
    with pytest.raises(errors.Unavailable, match="created with another password"):
        stranger.start()
    server.start()


def test_start_gives_the_reason_when_a_setting_is_wrong(server: Postgres) -> None:
    server.stop()
    mistaken = Postgres(server._child.folder, server.port, "x", settings={"shared_buffers": "plenty"})
    with pytest.raises(errors.Unavailable, match="shared_buffers"):
        mistaken.start()
    server.start()


def test_no_column_value_reaches_the_log_when_a_row_is_refused(server: Postgres) -> None:
    with _connected(server) as connection:
        connection.execute("create table unique_names (name text unique)")
        connection.execute("insert into unique_names values (%s)", ["canary@example.com"])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into unique_names values (%s)", ["canary@example.com"])
    log = Path(f"{server._child.folder}.log").read_text()
    assert "unique_names_name_key" in log
    assert "canary" not in log


def _runs(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_data_of_another_version_of_postgresql_is_left_alone_and_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(errors.Unavailable, match="its data is of PostgreSQL 17, and this version of Cadencia runs 18"):
        Postgres(tmp_path / "postgres", ports.free(), "a password").start()
    assert [path.name for path in (tmp_path / "postgres").iterdir()] == ["PG_VERSION"]
