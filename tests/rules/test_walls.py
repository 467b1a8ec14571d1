"""The walls of docs/architecture.md stand: who may import whom, and who may speak what."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.rules import repository

ROOT = repository.ROOT
STANDARD = sys.stdlib_module_names
MAIL_LIBRARIES = {"smtplib", "aiosmtplib", "imaplib", "poplib", "aiosmtpd"}
SOCKETS = {"socket.socket", "socket.create_connection", "socket.socketpair", "ssl.create_default_context"}
ENTRY_POINTS = {"web", "worker", "cli"}
SMTP = "engine/delivery/smtp/"
OURS = {"engine", "models", "web", "worker", "cli", "local", "bench", "tests", "settings", "errors", "celery_config"}


def roots(tree: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in repository.imported(tree)}


def test_import_linter_finds_every_wall_standing() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_walls_that_import_linter_checks_are_those_in_the_docs() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(contracts) >= 6
    assert [contract["name"] for contract in contracts if contract["name"] not in page] == []


def test_errors_import_nothing_of_ours_and_settings_only_what_reads_them() -> None:
    trees = repository.sources()
    assert roots(trees["errors.py"]) <= STANDARD
    assert roots(trees["settings.py"]) <= STANDARD | {"pydantic", "pydantic_settings"}
    assert roots(trees["celery_config.py"]) <= STANDARD | {"settings"}


def test_models_import_no_layer_above_them_and_engine_none_above_it() -> None:
    for name, tree in repository.sources("models").items():
        assert roots(tree) & OURS <= {"models", "errors", "settings"}, name
    for name, tree in repository.sources("engine").items():
        assert roots(tree) & OURS <= {"engine", "models", "errors", "settings"}, name


def test_the_entry_points_know_nothing_of_each_other() -> None:
    for side in ENTRY_POINTS:
        for name, tree in repository.sources(side).items():
            assert not roots(tree) & (ENTRY_POINTS - {side}), name


def test_nothing_that_is_shipped_imports_what_is_around_it() -> None:
    for name, tree in repository.product().items():
        assert not roots(tree) & {"local", "bench", "tests"}, name


def test_only_one_package_speaks_smtp() -> None:
    for name, tree in repository.product().items():
        assert not repository.imported(tree) & MAIL_LIBRARIES, name
        if not name.startswith(SMTP):
            assert not repository.attributes(tree) & SOCKETS, name


def test_only_one_module_publishes_to_the_queue() -> None:
    for name, tree in repository.sources("engine", "models", "web", "cli").items():
        knows = roots(tree) & {"celery", "kombu"}
        assert not knows or name == "engine/bell.py", name


def test_only_the_shared_limits_speak_to_redis() -> None:
    for name, tree in repository.sources("engine", "models", "web", "cli").items():
        assert "redis" not in roots(tree) or name == "engine/delivery/relays/redis_store.py", name


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
