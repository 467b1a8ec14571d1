"""Alembic's environment: one connection, one transaction, one migration at a time."""

from alembic import context
from sqlalchemy import text

from models import Base, session

MIGRATION_LOCK = 7_236_441  # any number that nothing else locks


def migrate() -> None:
    """Run the migrations under an advisory lock, so that two processes that start at once do not conflict."""
    with session.engine().begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.configure(connection=connection, target_metadata=Base.metadata)
        context.run_migrations()


migrate()
