"""The commands in the documentation of templates, forms and landing pages, run as they stand in this process."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import environment
from tests.engine.assets import samples
from tests.journeys.up.test_documented_commands import IN_PROCESS, blocks
from tests.processes import ROOT

_FILE = re.compile(r"here in `([\w.]+)`:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def lines(page: str) -> list[str]:
    """Return the commands of a page, one a line."""
    return "".join(blocks(page)).splitlines()


def test_every_command_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logo.png").write_bytes(samples.png())
    with environment(TEMPLATES_DIR=str(ROOT / "email_templates")):
        for page in IN_PROCESS:
            for name, content in _FILE.findall((ROOT / page).read_text("utf-8")):
                Path(name).write_text(content, "utf-8")
            for line in lines(page):
                command, _, file = line.partition(" > ")
                program, *words = shlex.split(command)
                assert program == "cadencia", line
                output = run(*words).stdout
                if file:
                    Path(file).write_text(output, "utf-8")
    assert "<html" in Path("email.html").read_text("utf-8") and '"slug"' in Path("pagina.json").read_text("utf-8")


def test_the_pages_have_commands_for_each_noun() -> None:
    run_here = {tuple(line.split()[1:3]) for page in IN_PROCESS for line in lines(page)}
    assert len(run_here) >= 24
    assert {noun for noun, _ in run_here} == {"templates", "forms", "pages", "assets"}
