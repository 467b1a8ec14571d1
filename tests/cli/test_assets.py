"""`cadencia assets`: add, list, remove."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.engine.assets import samples


def test_assets_from_upload_to_removal(run: Run, tmp_path: Path) -> None:
    file, drawing = tmp_path / "logo.png", tmp_path / "dibujo.png"
    file.write_bytes(samples.png())
    drawing.write_text("<svg/>")
    address = run("assets", "add", str(file)).stdout.split("\t")[0]
    assert "/a/" in address and "SVG" in run("assets", "add", str(drawing), status=1).stderr
    assert run("assets", "list").stdout == f"{address}\t4x2\t{len(samples.png()) - 26}\tlogo.png\n"
    assert "deleted" in run("assets", "remove", address).stdout
    assert run("assets", "list").stdout == ""
    assert "there is none" in run("assets", "remove", "x", status=1).stderr
