"""Migrations by Alembic, run from Python: no alembic.ini, the database is that of the settings."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, text

from errors import Conflict
from models import session

OLDEST_SERVER = 14  # of PostgreSQL


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def upgrade(revision: str = "head") -> None:
    """Upgrade the tables to `revision`. Safe to run twice, and by several processes at once.

    Raises Conflict if the server is too old or the tables are of a newer version, Unavailable if it cannot be reached.
    """
    with session.unavailable_raised():
        check_server(_server_version())
        _refuse_newer_tables()
        command.upgrade(_config(), revision)


def check_server(version: int) -> None:
    """Raise Conflict if a server of this major version lacks what the tables need."""
    if version < OLDEST_SERVER:
        raise Conflict(f"the server is PostgreSQL {version}: use PostgreSQL {OLDEST_SERVER} or newer")


def _server_version() -> int:
    with session.engine().connect() as connection:
        return int(connection.scalar(text("SHOW server_version_num"))) // 10_000


def _refuse_newer_tables() -> None:
    at, newest = state()
    if at is not None and at not in {script.revision for script in _scripts().walk_revisions()}:
        raise Conflict(
            f"the tables are at revision {at}, of a newer version of Cadencia; this version ends with {newest}: "
            "use the newer version, or a dump that is older"
        )


def downgrade(revision: str) -> None:
    """Downgrade the tables to `revision`; `base` drops them all."""
    command.downgrade(_config(), revision)


def is_comparable(item: Any, _name: str | None, kind: str, _is_reflected: bool, _other: Any) -> bool:
    """Return True if Alembic can compare this part of the models with the database.

    It cannot compare an index of expressions, which PostgreSQL returns in another form; the tests do.
    """
    return kind != "index" or all(isinstance(part, Column) for part in item.expressions)


def draft(message: str) -> None:
    """Write a migration for the differences between the models and the database."""
    command.revision(_config(), message, autogenerate=True)


def state() -> tuple[str | None, str | None]:
    """Return the revision of the database and the newest revision. Raises Unavailable."""
    with session.unavailable_raised(), session.engine().connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    return at, _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
