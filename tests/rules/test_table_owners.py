"""One package writes each table: the INSERT, UPDATE and DELETE statements of the product, table against owner."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import models
from tests.rules import repository

OWNERS = {
    "contacts": "engine/audience/",
    "suppressions": "engine/audience/",
    "emails": "engine/delivery/",
    "senders": "engine/delivery/",
    "send_groups": "engine/delivery/",
    "campaigns": "engine/campaigns/",
    "campaign_steps": "engine/campaigns/",
    "enrollments": "engine/campaigns/",
    "events": "engine/tracking/",
    "horizons": "engine/tracking/",
    "email_stats": "engine/analytics/",
    "snapshots": "engine/analytics/",
    "accounts": "engine/access/",
    "revoked_tokens": "engine/access/",
    "idempotency_keys": "engine/access/",
    "assets": "engine/assets/",
    "forms": "engine/forms/",
    "consent_texts": "engine/forms/",
    "form_submissions": "engine/forms/",
    "form_views": "engine/forms/",
    "pages": "engine/landing/",
    "page_versions": "engine/landing/",
    "page_visits": "engine/landing/",
    "page_visit_days": "engine/landing/",
    "heartbeats": "engine/heartbeats.py",
    "template_faults": "engine/templates/",
    "templates": "engine/templates/versions/",
    "template_versions": "engine/templates/versions/",
    "file_imports": "engine/engagement/",
    "file_import_chunks": "engine/engagement/",
    "file_import_faults": "engine/engagement/",
    "quarantines": "engine/quarantine.py",
}
TABLES = {mapper.class_.__name__: mapper.class_.__tablename__ for mapper in models.Base.registry.mappers}
WRITES = re.compile(
    r"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|COPY|(?<!FOR )(?<!KEY )(?<!DO )UPDATE)"
    r"\s+(?:ONLY\s+)?(\w+)"
)
UNIT_OF_WORK = {"add", "add_all", "merge", "delete", "flush", "bulk_save_objects"}


def sql_of(node: ast.AST) -> str:
    """Return the text of a string or f-string, with a blank for each expression in it."""
    if isinstance(node, ast.JoinedStr):
        return " ".join(sql_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def written(tree: ast.AST) -> Iterator[str]:
    """Yield the tables that a module writes, in SQL or by SQLAlchemy's insert(), update() and delete()."""
    for node in ast.walk(tree):
        yield from WRITES.findall(sql_of(node))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("insert", "update", "delete"):
            yield from (TABLES[arg.id] for arg in node.args if isinstance(arg, ast.Name) and arg.id in TABLES)


def statements() -> Iterator[tuple[str, str]]:
    """Yield each write of the product: the module and the table."""
    for name, tree in repository.product().items():
        if not name.startswith("models/migrations/"):
            yield from ((name, table) for table in written(tree))


def test_every_table_has_an_owner() -> None:
    assert set(OWNERS) == set(TABLES.values())


def test_only_its_owner_writes_a_table() -> None:
    assert [(name, table) for name, table in statements() if not name.startswith(OWNERS.get(table, "nobody"))] == []


def test_the_rule_sees_the_writes_of_every_owner() -> None:
    writers = defaultdict(set)
    for name, table in statements():
        writers[table].add(name)
    assert writers.keys() == OWNERS.keys()
    assert writers["emails"] >= {"engine/delivery/emails.py", "engine/delivery/outbox.py"}


def test_no_row_is_written_by_way_of_a_session() -> None:
    """Writes are statements, which the rule above can read, never changes of objects that a flush writes."""
    for name, tree in repository.product().items():
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not calls & {f"session.{method}" for method in UNIT_OF_WORK}, name
