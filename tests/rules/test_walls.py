"""Walls that import-linter cannot check: modules at the root, attributes of `socket`, and names of functions."""

import ast
import sys
import tomllib
from pathlib import Path

from tests.rules import repository

ROOT = repository.ROOT
STANDARD = sys.stdlib_module_names
MAIL_LIBRARIES = {"smtplib", "aiosmtplib", "imaplib", "poplib", "aiosmtpd"}
ENDS_CONNECTIONS = "web/wsgi/connections.py"  # of this process, to this process; it opens none
SOCKETS = {"socket.socket", "socket.create_connection", "socket.socketpair", "ssl.create_default_context"}
SMTP = "engine/delivery/smtp/"


def roots(tree: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in repository.imported(tree)}


def test_the_walls_that_import_linter_checks_are_those_in_the_docs() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    page = " ".join((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split())  # lines are wrapped
    assert len(contracts) >= 6
    assert [contract["name"] for contract in contracts if contract["name"] not in page] == []


def test_errors_import_nothing_of_ours_and_settings_only_what_reads_them() -> None:
    trees = repository.sources()
    assert roots(trees["errors.py"]) <= STANDARD
    assert roots(trees["setting_types.py"]) <= STANDARD | {"pydantic", "pydantic_settings"}
    assert roots(trees["settings.py"]) <= STANDARD | {"pydantic", "pydantic_settings", "setting_types"}
    assert roots(trees["celery_config.py"]) <= STANDARD | {"settings", "kombu"}


def test_only_one_package_speaks_smtp() -> None:
    for name, tree in repository.product().items():
        assert not repository.imported(tree) & MAIL_LIBRARIES, name
        if not name.startswith(SMTP):
            allowed = {"socket.socket"} if name == ENDS_CONNECTIONS else set()
            assert repository.attributes(tree) & SOCKETS <= allowed, name


def test_modules_are_imported_and_not_their_functions() -> None:
    """`tokens.read(...)` reads as a phrase, `read(...)` does not; names of classes are the exception."""
    spelled = []
    for name, tree in repository.sources("web", "worker", "cli").items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine."):
                module = ROOT / Path(*node.module.split("."))
                for alias in node.names:
                    is_module = (module / alias.name).is_dir() or (module / f"{alias.name}.py").exists()
                    if not is_module and not alias.name[0].isupper():
                        spelled.append(f"{name}: {node.module}.{alias.name}")
    assert spelled == []
