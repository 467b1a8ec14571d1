"""Storage of the figures measured on this machine, and their table in docs/performance.md."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.report import figures

_ROOT = Path(__file__).parents[2]
KEPT = _ROOT / "var" / "bench.json"
PAGE = _ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def keep(measured: Sequence[Mapping[str, Any]]) -> None:
    """Store these figures, each in place of its previous value."""
    known = {each["figure"]: each for each in kept()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known |= {
        each["figure"]: {"machine": figures.machine(), **each, "measured": now}
        for each in measured
        if each["value"] is not None
    }
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(list(known.values()), ensure_ascii=False, indent=1))


def kept() -> list[dict[str, Any]]:
    """Return the last figures of this machine."""
    figures_kept: list[dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else []
    return figures_kept


def write(measured: Sequence[Mapping[str, Any]]) -> None:
    """Write the table of these figures into the page; exit if there are none."""
    if not measured:
        raise SystemExit("Nothing was measured here yet: run `make bench` first.")
    PAGE.write_text(filled(PAGE.read_text("utf-8"), measured), "utf-8")
    print(f"written into {PAGE.relative_to(_ROOT)}")


def filled(page: str, measured: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with the table of these figures between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks its marks {BEGIN} and {END}")
    days = sorted({each["measured"][:10] for each in measured})
    machines = sorted({each["machine"] for each in measured})
    source = f"Measured {' to '.join(dict.fromkeys((days[0], days[-1])))} on {'; '.join(machines)}."
    return f"{before}{begin}\n{source}\n\n{figures.markdown(measured)}\n{figures.split(measured)}{end}{after}"
