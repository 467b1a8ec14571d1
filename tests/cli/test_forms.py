"""`cadencia forms`: create, list, show, change, disable and enable."""

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.engine.forms import signups


def test_forms_from_creation_to_the_end(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "guia.json"
    file.write_text(json.dumps(signups.definition(notify=["jefa@ronda.example"])))
    assert "/f/guia" in run("forms", "new", str(file)).stdout
    assert "there is a form 'guia' already" in run("forms", "new", str(file), status=1).stderr
    assert run("forms", "list").stdout.split("\t")[:2] == ["guia", "active"] or "guia" in run("forms", "list").stdout
    shown = run("forms", "show", "guia").stdout
    assert "0 submitted, 0 confirmed" in shown and "/f/guia.js" in shown and "jefa@" not in shown
    assert "did you mean guia?" in run("forms", "show", "gia", status=1).stderr
    file.write_text(json.dumps(signups.definition(title={"es": "Otra"})))
    assert "changed" in run("forms", "change", "guia", str(file)).stdout
    assert "is disabled" in run("forms", "disable", "guia").stdout
    assert "is active" in run("forms", "enable", "guia").stdout


def test_a_wrong_definition_names_every_fault(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "form.json"
    wrong = signups.definition(
        slug="Guía", title={}, redirect="https://evil.example/x", origins=["empresa.example/x"], notify=["nobody"],
        fields=[{"name": "email", "label": {"es": "x"}}, {"name": "a-b", "label": {"fr": "x"}}], campaign="x",
    )  # fmt: skip
    file.write_text(json.dumps(wrong))
    error = run("forms", "new", str(file), status=1).stderr
    for part in ("slug:", "title:", "redirect:", "origins[0]:", "notify[0]:", "fields[0].name:", "fields[1].name:",
                 "fields[1].label.fr:", "campaign:", "did you mean campaign_id?"):  # fmt: skip
        assert part in error, part
    for broken in ("{", "[" * 100_000):
        file.write_text(broken)
        assert "is not JSON" in run("forms", "new", str(file), status=1).stderr
