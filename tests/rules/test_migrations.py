"""The migrations make exactly the tables that the models describe, and can be undone."""

from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from models import Base, migrations
from models import session as database
from tests.conftest import environment

_CATALOG = """
SELECT 'column', format('%s.%s %s null=%s default=%s', table_name, column_name, udt_name || coalesce(
         '(' || character_maximum_length || ')', ''), is_nullable, column_default)
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
UNION ALL
SELECT 'constraint', format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
UNION ALL
SELECT 'storage', format('%s %s', relname, reloptions)
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
"""

# The columns of the specification: table -> name -> (type, length). Timestamps are kept with their zone;
# `contacts.email` and `emails.subject` are stored encrypted, as text; the uniqueness of `email` is carried by the blind
# index `email_index`.
SPECIFIED: dict[str, dict[str, tuple[str, int | None]]] = {
    "contacts": {
        "id": ("uuid", None),
        "email": ("text", None),
        "first_name": ("varchar", 100),
        "last_name": ("varchar", 100),
        "industry": ("varchar", 50),
        "role": ("varchar", 50),
        "company": ("varchar", 100),
        "created_at": ("timestamptz", None),
        "updated_at": ("timestamptz", None),
        "email_followup_status": ("varchar", 50),
        **{f"email_{step}_{done}": ("bool", None) for step in (1, 2, 3) for done in ("sent", "opened", "clicked")},
        "converted": ("bool", None),
        "converted_at": ("timestamptz", None),
        "score": ("int4", None),
    },
    "emails": {
        "id": ("uuid", None),
        "contact_id": ("uuid", None),
        "template": ("varchar", 50),
        "subject": ("text", None),
        "sent_at": ("timestamptz", None),
        "opened_at": ("timestamptz", None),
        "clicked_at": ("timestamptz", None),
        "converted_at": ("timestamptz", None),
        "status": ("varchar", 50),
    },
    "events": {
        "id": ("uuid", None),
        "email_id": ("uuid", None),
        "event_type": ("varchar", 50),
        "event_data": ("jsonb", None),
        "timestamp": ("timestamptz", None),
    },
}
DEFAULTS = {
    ("contacts", "created_at"): "now()",
    ("contacts", "updated_at"): "now()",
    ("contacts", "converted"): "false",
    ("contacts", "email_1_sent"): "false",
    ("contacts", "email_2_opened"): "false",
    ("contacts", "email_3_clicked"): "false",
    ("contacts", "score"): "0",
    ("events", "timestamp"): "now()",
}
REFERENCES = {("emails", "contact_id"): "contacts", ("events", "email_id"): "emails"}


@pytest.fixture
def migrated(ledger: str) -> Any:
    """A connection to a database that the migrations made."""
    with database.engine().connect() as connection:
        yield connection


def catalog(connection: Connection) -> set[tuple[str, str]]:
    """Return the constraints and indexes in the database's catalogue."""
    return {(kind, definitions) for kind, definitions in connection.execute(text(_CATALOG))}


def test_alembic_finds_no_difference_between_tables_and_models(migrated: Connection) -> None:
    context = MigrationContext.configure(
        migrated, opts={"compare_type": True, "include_object": migrations.is_comparable}
    )
    assert compare_metadata(context, Base.metadata) == []


def test_the_models_make_the_same_columns_indexes_and_constraints(migrated: Connection, postgres: Any) -> None:
    """Alembic sees no predicate or expression of an index, no CHECK, no fillfactor; PostgreSQL's catalog has all."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE from_models")
        try:
            engine = create_engine(postgres.url("from_models").replace("postgresql:", "postgresql+psycopg:", 1))
            Base.metadata.create_all(engine)
            with engine.connect() as connection:
                wanted = catalog(connection)
            engine.dispose()
        finally:
            admin.execute("DROP DATABASE from_models WITH (FORCE)")
    assert len(wanted) > 100
    assert catalog(migrated) == wanted


def test_going_all_the_way_back_and_up_again_ends_at_the_same_tables(postgres: Any) -> None:
    postgres.create("back_and_up")
    with environment(DATABASE_URL=postgres.url("back_and_up")):
        migrations.upgrade()
        with database.engine().connect() as connection:
            first = catalog(connection)
        migrations.downgrade("base")
        with database.engine().connect() as connection:
            assert catalog(connection) == set()
            assert connection.scalar(text("SELECT count(*) FROM pg_type WHERE typtype = 'e'")) == 0
        migrations.upgrade()
        migrations.upgrade()
        with database.engine().connect() as connection:
            assert catalog(connection) == first
        at, newest = migrations.state()
        assert at == newest is not None


@pytest.mark.parametrize("table", SPECIFIED)
def test_a_specified_table_has_its_columns_by_name_and_type(migrated: Connection, table: str) -> None:
    rows = migrated.execute(
        text(
            "SELECT column_name, udt_name, character_maximum_length FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = :table"
        ),
        {"table": table},
    )
    columns = {name: (kind, length) for name, kind, length in rows}
    assert {name: columns.get(name) for name in SPECIFIED[table]} == SPECIFIED[table]


def test_the_specified_defaults_keys_and_references_are_there(migrated: Connection) -> None:
    rows = migrated.execute(
        text(
            "SELECT table_name, column_name, column_default FROM information_schema.columns WHERE table_schema='public'"
        )
    )
    defaults = {(table, column): default for table, column, default in rows}
    assert {column: defaults[column] for column in DEFAULTS} == DEFAULTS
    definitions = {definition for kind, definition in catalog(migrated) if kind == "constraint"}
    for table in SPECIFIED:
        assert f"{table} pk_{table} PRIMARY KEY (id)" in definitions
    for (table, column), target in REFERENCES.items():
        assert f"{table} fk_{table}_{column} FOREIGN KEY ({column}) REFERENCES {target}(id)" in definitions
    assert "contacts uq_contacts_email_index UNIQUE (email_index)" in definitions


def test_the_indexes_that_claiming_and_applying_need_are_partial(migrated: Connection) -> None:
    """A full index on a status that changes four times a message costs four times as much (measured: 39 us for 9)."""
    definitions = "\n".join(definition for kind, definition in catalog(migrated) if kind == "index")
    for name in ("ix_emails_due", "ix_emails_claim", "ix_emails_in_doubt", "ix_events_unapplied", "ix_events_held"):
        assert f"INDEX {name} " in definitions
        assert " WHERE " in definitions.partition(f"INDEX {name} ")[2].partition("\n")[0], name
