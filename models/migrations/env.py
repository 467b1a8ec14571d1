"""Alembic's environment: one connection, a transaction for each migration, one process at a time."""

from alembic import context
from sqlalchemy import text

from models import Base, session
from models.migrations import is_comparable

MIGRATION_LOCK = 7_236_441  # any number that nothing else locks


def migrate() -> None:
    """Run the migrations under an advisory lock, so that two processes that start at once do not conflict.

    Each migration is committed on its own, so an interrupted one is repeated without those before it. Another
    transaction holds the lock: a session lock would be lost behind a pooler such as PgBouncer.
    """
    with session.engine().begin() as holder, session.engine().connect() as connection:
        holder.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            include_object=is_comparable,
        )
        with context.begin_transaction():
            context.run_migrations()


migrate()
