"""The house style as far as a program can check it: size, docstrings, names, and content that is not allowed."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules import repository

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
MODULES_MAX = 12
PARAMETERS_MAX = 5
POINTLESS_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_task"}

# RFC 2606 and RFC 6761: names that belong to nobody.
RESERVED = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost|example\.(?:com|net|org))$", re.IGNORECASE)
ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")
FOREIGN = re.compile(r"""(?:src|href)=["'](?:https?:)?//([^/"'{]+)|@import|url\(["']?(?:https?:)?//""")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in repository.nodes(tree) if isinstance(node, ast.FunctionDef))


def test_the_rules_look_at_the_whole_product() -> None:
    assert len(repository.product()) > 100
    assert {"settings.py", "web/http/auth.py", "engine/bell.py"} <= repository.product().keys()


def test_no_module_is_longer_than_its_one_job() -> None:
    written = {name: text for name, text in repository.texts(".py").items() if "migrations/versions" not in name}
    long = {name: text.count("\n") for name, text in written.items() if not name.startswith("tests/")}
    assert {name: lines for name, lines in long.items() if lines > MODULE_LINES_MAX} == {}


def test_no_package_has_more_than_twelve_modules() -> None:
    names = [Path(name) for name in repository.everything() if not name.startswith(("tests/", "models/"))]
    sizes = Counter(str(path.parent) for path in names if path.name != "__init__.py")
    assert {package: size for package, size in sizes.items() if size > MODULES_MAX} == {}


def test_every_module_says_in_one_line_what_it_is_for() -> None:
    silent = []
    for name, tree in repository.everything().items():
        doc = ast.get_docstring(tree) or ""
        if tree.body and not doc.partition("\n")[0].rstrip().endswith((".", ":", "`.", "…", "?")):
            silent.append(name)
    assert silent == []


def test_functions_are_short_and_take_few_parameters() -> None:
    long, greedy = [], set()
    for name, tree in (repository.product() | repository.sources("local", "bench")).items():
        if name.startswith("models/migrations/versions"):
            continue
        for function in functions(tree):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            arguments = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
            if lines > FUNCTION_LINES_MAX:
                long.append(f"{name}:{function.name} has {lines} lines")
            if len([each for each in arguments if each not in ("self", "cls")]) > PARAMETERS_MAX:
                greedy.add(f"{name}:{function.name}")
    assert long == []
    assert greedy == set()


def test_public_functions_and_classes_say_what_they_promise() -> None:
    silent = []
    for name, tree in (repository.product() | repository.sources("local")).items():
        for node in tree.body:
            spoken = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if spoken and not ast.get_docstring(node):  # type: ignore[arg-type]
                silent.append(f"{name}:{node.name}")  # type: ignore[attr-defined]
    generated = {name for name in silent if "migrations/versions" in name}
    assert set(silent) - generated == set()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name for name in repository.everything() if set(name[:-3].split("/")) & POINTLESS_NAMES] == []


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    for name, tree in repository.product().items():
        if name not in ("settings.py", "cli/environment.py"):
            assert not repository.attributes(tree) & {"os.environ", "os.getenv", "os.putenv"}, name
            assert not repository.imported(tree) & {"os.environ", "os.getenv"}, name
        if name != "cli/env_file.py":
            assert not repository.imported(tree) & {"dotenv"}, name


def test_the_engine_is_told_the_time_and_asks_no_clock() -> None:
    asked = {"datetime.now", "datetime.utcnow", "date.today", "clock.now", "clock.at", "time.time"}
    for name, tree in repository.sources("engine").items():
        if name != "engine/clock.py":
            assert not repository.attributes(tree) & asked, name


def test_no_task_is_given_a_time_to_run_at() -> None:
    """R7: every delay is a column of a row; a queue may lose or repeat its messages."""
    for name, tree in repository.product().items():
        words = {node.arg for node in repository.nodes(tree) if isinstance(node, ast.keyword)}
        assert not words & {"eta", "countdown", "retry_backoff", "autoretry_for"}, name
        used = {node.attr for node in repository.nodes(tree) if isinstance(node, ast.Attribute)}
        assert not used & {"apply_async", "delay_on_commit", "chord", "si", "signature"}, name
        assert "send_task" not in used or name == "engine/bell.py"


def test_the_engine_opens_no_transaction() -> None:
    for name, tree in repository.sources("engine").items():
        assert not repository.imported(tree) & {"models.session.transaction", "models.session.retrying"}, name
        assert not repository.attributes(tree) & {"session.commit", "session.rollback"}, name


def test_every_address_in_the_repository_belongs_to_nobody() -> None:
    kinds = (".py", ".md", ".txt", ".html", ".json", ".csv", ".yml", ".toml", ".example", "Procfile", "Makefile")
    for name, text in repository.texts(*kinds).items():
        domains = {domain for domain in ADDRESS.findall(text) if not RESERVED.search(domain)}
        assert not domains or name.startswith("tests/"), (name, domains)


def test_nothing_is_left_to_be_done() -> None:
    word = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    kinds = (".py", ".md", ".html", ".txt", ".toml", ".yml", "Makefile", "Dockerfile")
    own = "tests/rules/test_repository.py"
    assert [name for name, text in repository.texts(*kinds).items() if word.search(text) and name != own] == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    sources = repository.sources("tests")
    for name in ("tests/browser.py", "tests/debian.py"):
        sources.pop(name)  # they need programs that are no Python packages; with CI=true their absence fails
    for name, tree in sources.items():
        marks = repository.attributes(tree) & {"mark.skip", "mark.xfail", "pytest.xfail", "unittest.mock"}
        used = {node.attr for node in repository.nodes(tree) if isinstance(node, ast.Attribute)}
        assert not marks and not used & {"xfail", "skip"}, name
        assert not repository.imported(tree) & {"unittest.mock", "mock"}, name


def test_no_test_patches_the_product() -> None:
    """Tests change settings, clocks, parameters and fake servers; `sys` is not ours and may be patched."""
    calls = (
        (name, node)
        for name, tree in repository.sources("tests").items()
        for node in repository.nodes(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr"
    )
    assert {name for name, call in calls if ast.unparse(call.args[0]) != "sys"} == set()


def test_each_exception_from_a_lint_rule_states_its_reason() -> None:
    bare = re.compile(r"# noqa(?!: [A-Z]+\d+(?:, ?[A-Z]+\d+)* +# \w)")
    own = "tests/rules/test_repository.py"
    texts = {name: text for name, text in repository.texts(".py").items() if name != own}
    lines = [(name, line) for name, text in texts.items() for line in text.splitlines() if bare.search(line)]
    assert lines == []


@pytest.mark.parametrize("folder", ["web", "local"])
def test_pages_load_nothing_from_elsewhere(folder: str) -> None:
    pages = {name: text for name, text in repository.texts(".html", ".css", ".js").items() if name.startswith(folder)}
    assert pages
    for name, text in pages.items():
        assert not FOREIGN.search(text), name
