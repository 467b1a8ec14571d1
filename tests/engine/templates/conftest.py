"""Fixtures that write a template and provide readable tracking addresses."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.templates import templates

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
Write = Callable[..., templates.Template]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a template, and the layout it extends, and compiles it."""

    def written(
        body: str,
        *,
        subject: str = "Asunto",
        text: str | None = None,
        layout: str | None = None,
        sample: dict[str, Any] | None = None,
    ) -> templates.Template:
        folder = tmp_path / "prueba"
        folder.mkdir(exist_ok=True)
        (folder / "body.html").write_text(body, "utf-8")
        (folder / "subject.txt").write_text(subject, "utf-8")
        (folder / "sample.json").write_text(json.dumps(sample or {}), "utf-8")
        if text is not None:
            (folder / "body.txt").write_text(text, "utf-8")
        if layout is not None:
            (tmp_path / "_layout.html").write_text(layout, "utf-8")
        return templates.Library(tmp_path).get("prueba")

    return written


class PlainLinks:
    """Readable addresses: a tracked one contains the number and the target of its link."""

    pixel = "https://us.example/o/pixel.gif"
    unsubscribe = "https://us.example/u/token"

    def clicked(self, link: int, target: str) -> str:
        return f"https://us.example/c/{link}?{target}"


@pytest.fixture
def addresses() -> PlainLinks:
    return PlainLinks()
