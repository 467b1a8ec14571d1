"""`cadencia pages`: create, list, show, push and publish."""

import json
from pathlib import Path

from engine.landing import starters
from tests.cli.conftest import Run
from tests.engine.landing import drafts
from tests.engine.landing.drafts import both


def test_a_page_from_its_file_to_everybody(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "guia.json"
    file.write_text(json.dumps({"slug": "guia", **drafts.content()}))
    assert "created as a draft" in run("pages", "new", str(file)).stdout
    assert "there is a page 'guia' already" in run("pages", "new", str(file), status=1).stderr
    shown = run("pages", "show", "guia")
    assert "is not published" in shown.stderr
    changed = json.loads(shown.stdout) | {"title": both("Otra")}
    file.write_text(json.dumps(changed))
    assert "has version 2; published is none" in run("pages", "push", "guia", str(file)).stdout
    file.write_text(json.dumps(changed | {"noindex": True}))
    late = run("pages", "push", "guia", str(file), "--expected", "0" * 64, status=1)
    assert "version: somebody has saved version 2 meanwhile" in late.stderr
    assert "shows version 1" in run("pages", "publish", "guia", "--version", "1").stdout
    assert "Otra" in run("pages", "list").stdout
    assert "shows version 1; this is version 2 of 2" in run("pages", "show", "guia").stderr
    assert "is offline" in run("pages", "publish", "guia", "--off").stdout
    file.write_text(json.dumps(changed | starters.of(both("Otra"))))
    run("pages", "push", "guia", str(file))
    assert "warning: blocks[0].text.es is still the sample's" in run("pages", "publish", "guia").stderr
    assert "did you mean guia?" in run("pages", "publish", "gia", status=1).stderr


def test_a_wrong_file_names_every_fault(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    file.write_text(json.dumps({"slug": "x", "titel": 1, "blocks": [{"kind": "heroe"}]}))
    error = run("pages", "new", str(file), status=1).stderr
    for part in ("titel:", "did you mean title?", "title: is needed", "blocks[0].kind:", "did you mean hero?"):
        assert part in error, part
    file.write_text("{")
    assert "is not JSON" in run("pages", "new", str(file), status=1).stderr
