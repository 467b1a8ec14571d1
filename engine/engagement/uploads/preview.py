"""Preview of an uploaded file: the meaning of each column, and the first rows as they would be stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from engine.audience import imports
from engine.audience.contacts import Draft
from engine.audience.files.decoding import Source
from engine.audience.import_report import ImportReport, Page, RowFault, Stored
from errors import InvalidInput
from models import vault

ROWS = 200  # read for a preview
ROWS_SHOWN, FAULTS_SHOWN, ATTRIBUTES_SHOWN, CHARS_SHOWN = 10, 20, 8, 60


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a file: `error` says why it cannot be imported, None if it can.

    `columns` has the fields of `ColumnReport`, `rows` those of `Draft` and the marks `opted_out` and `converted`, with
    long values cut. `faults` are refused rows, `notes` what was changed; `counts` those of an `ImportReport`, of the
    first `rows_read` rows only.
    """

    error: str | None
    encoding: str = ""
    separator: str = ""
    header_line: int | None = None
    columns: Sequence[Mapping[str, Any]] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, int] | None = None
    faults: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[Mapping[str, Any]] = ()


def of(source: Source, *, mapping: Sequence[str] = (), encoding: str | None = None) -> Preview:
    """Return the preview of a file with this mapping and encoding, which are those of `sheet.read`."""
    try:
        page = next(imports.pages(source, page_rows=ROWS, mapping=mapping, encoding=encoding))
    except InvalidInput as invalid:
        return Preview("; ".join(fault.message for fault in invalid.faults))
    report = ImportReport().plus(page, Stored())
    return Preview(
        error=None,
        encoding=page.file.encoding,
        separator=page.file.separator,
        header_line=page.file.header_line,
        columns=[asdict(column) for column in page.file.columns],
        rows=[_row(draft, page) for draft in page.drafts[:ROWS_SHOWN]],
        counts=report.counts(),
        faults=_first(page.faults),
        notes=_first(page.notes),
    )


def sealed(preview: Preview) -> str:
    """Return the preview as encrypted text: it contains personal data."""
    return vault.current().encrypt(json.dumps(asdict(preview)))


def unsealed(token: str) -> Preview:
    """Return the preview of an encrypted text."""
    return Preview(**json.loads(vault.current().decrypt(token)))


def _row(draft: Draft, page: Page) -> dict[str, Any]:
    details = {name: _cut(value) for name, value in asdict(draft).items() if isinstance(value, str)}
    attributes = {name: _cut(value) for name, value in islice(draft.attributes.items(), ATTRIBUTES_SHOWN)}
    key = vault.folded(draft.address)
    return details | {
        "attributes": attributes,
        "more": max(0, len(draft.attributes) - ATTRIBUTES_SHOWN),
        "opted_out": key in page.opted_out,
        "converted": key in page.converted,
    }


def _first(faults: Sequence[RowFault]) -> list[dict[str, Any]]:
    return [asdict(fault) for fault in faults[:FAULTS_SHOWN]]


def _cut(text: str) -> str:
    return text if len(text) <= CHARS_SHOWN else f"{text[: CHARS_SHOWN - 1]}…"
