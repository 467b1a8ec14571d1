"""Links, paths, settings, rules and tests that the documents name exist."""

import re
from pathlib import Path

import pytest

import models
import settings
from tests.rules import repository

ROOT = repository.ROOT
PAGES = repository.texts(".md")
RULES = {f"R{number}" for number in range(1, 41)}
FOLDERS = ("web", "engine", "worker", "cli", "models", "local", "bench", "tests", "docs", "email_templates")


def documented_rules() -> set[str]:
    """The rules that docs/reliability.md restates, each as `**R7**`."""
    return set(re.findall(r"\*\*(R\d+)\*\*", PAGES["docs/reliability.md"]))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", PAGES[page]):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_is_named_exists(page: str) -> None:
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", PAGES[page]):
        target = ROOT / path
        assert target.exists() or target.with_name(f"{target.name}.py").exists(), path


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_exists(page: str) -> None:
    names = {name.upper() for name in settings.Settings.model_fields}
    of_others = {"SECRETS_DIR", "WEB_ADDRESS", "FLOWER_BASIC_AUTH"}
    named = re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", PAGES[page])
    assert [name for name in named if not {name, name.removesuffix("_FILE")} & (names | of_others)] == []


def test_every_rule_that_the_code_refers_to_is_documented() -> None:
    assert documented_rules() == RULES
    for name, text in repository.texts(".py", ".yml").items():
        assert {f"R{number}" for number in re.findall(r"\bR(\d+)[a-g]?\b", text)} <= RULES, name


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    for path, function in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGES[page]):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {function}(" in text if function else True, (path, function)


def test_every_function_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:web|engine|worker|cli)/[\w/]+\.py)::([\w.]+)`", PAGES["docs/architecture.md"])
    assert len(named) > 15
    for path, name in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^ *(?:def|class) {part}\b", text, re.MULTILINE), (path, name)


def test_the_architecture_maps_every_package_and_every_table() -> None:
    page = PAGES["docs/architecture.md"]
    packages = {Path(name).parent for name in repository.product() if name.count("/") > 1}
    assert [str(each) for each in packages if f"{each.name}/" not in page] == []
    assert [table for table in models.Base.metadata.tables if f"`{table}`" not in page] == []


def test_both_readmes_have_the_same_parts_links_and_commands() -> None:
    english, spanish = PAGES["README.md"], PAGES["README.es.md"]
    parts = [re.findall(r"^(#+) ", page, re.MULTILINE) for page in (english, spanish)]
    assert parts[0] == parts[1]
    links = [set(re.findall(r"\]\(([^)]+)\)", page)) for page in (english, spanish)]
    assert links[0] == links[1]
    blocks = [
        re.findall(r"^```(?:sh)?\n((?:curl|make|\./cadencia|EMAIL_ID|TOKEN).*?)^```$", page, re.M | re.S)
        for page in (english, spanish)
    ]
    commands = [[line.partition(" # ")[0].rstrip() for block in page for line in block.splitlines()] for page in blocks]
    assert len(commands[0]) > 20 and commands[0] == commands[1]


def test_the_changelog_names_the_version_that_is_built() -> None:
    assert 'version = {attr = "settings.VERSION"}' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## [{settings.VERSION}]" in PAGES["CHANGELOG.md"]
