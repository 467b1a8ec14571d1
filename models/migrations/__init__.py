"""Alembic, run from Python: no alembic.ini, the database is the one in the settings."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from models import session


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def upgrade(revision: str = "head") -> None:
    """Bring the tables up to `revision`; safe to run twice, and by several processes at once."""
    command.upgrade(_config(), revision)


def downgrade(revision: str) -> None:
    """Take the tables back to `revision` (`base` drops them all)."""
    command.downgrade(_config(), revision)


def draft(message: str) -> None:
    """Write a new migration from what the models say and the database does not have yet."""
    command.revision(_config(), message, autogenerate=True)


def state() -> tuple[str | None, str | None]:
    """(the revision the database is at, the newest one there is)."""
    with session.engine().connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    return at, ScriptDirectory.from_config(_config()).get_current_head()
