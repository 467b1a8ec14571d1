"""Output of `cadencia contacts import`: reading of the file, meaning of each column, faults, notes, counts."""

from collections.abc import Iterator

import click

from engine.audience.import_report import COUNTS, ColumnReport, ImportReport, RowFault

NOTES_MAX = 20
_NAME_CHARS = 32
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MEANINGS = {
    "opt_out": "opt-out: yes suppresses the address",
    "opt_in": "consent: no suppresses the address",
    "status": "status: unsubscribed suppresses the address",
    "converted": "conversion: yes ends the sequence",
    "converted_at": "moment of the conversion",
}


def show(name: str, report: ImportReport, *, dry_run: bool) -> None:
    """Print the report: the table of columns and the counts to stdout, faults and notes to stderr."""
    file = report.file
    header = f"header on line {file.header_line}" if file.header_line else "no header: its first line is a contact"
    click.echo(f"{name}: {file.encoding}, cells separated by {_SEPARATORS[file.separator]}, {header}")
    width = min(_NAME_CHARS, max(6, *(len(column.name) for column in file.columns)))
    click.echo(f"  {'column':{width}}   filled  understood as")
    for column in file.columns:
        click.echo(f"  {_cut(column.name):{width}}  {column.filled:>7}  {_understood(column)}")
    for fault in sorted(report.faults, key=lambda each: each.line):
        _print(fault)
    for note in report.notes[:NOTES_MAX]:
        _print(note)
    if len(report.notes) > NOTES_MAX:
        click.echo(f"… and {len(report.notes) - NOTES_MAX} more notes", err=True)
    counts = ", ".join(f"{getattr(report, name)} {name.replace('_', ' ')}" for name in COUNTS)
    click.echo(f"dry run, nothing was stored: {counts}" if dry_run else counts)


def _print(fault: RowFault) -> None:
    click.echo(f"line {fault.line}, {fault.field}: {fault.message}", err=True)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"


def _understood(column: ColumnReport) -> str:
    return "; ".join(_parts(column))


def _parts(column: ColumnReport) -> Iterator[str]:
    kept = f"attribute {column.attribute}" if column.attribute else "left out"
    if column.meaning is None:
        yield kept if column.after is None else f"{kept}, where “{column.after}” is empty"
    else:
        how = {"content": " (by its content)", "map": " (by --map)"}.get(column.by or "", "")
        yield _MEANINGS.get(column.meaning, column.meaning) + how
        if column.after is not None:
            yield f"used where “{column.after}” is empty, otherwise {kept}"
    if column.mended:
        yield f"{column.mended} mended"
    if column.left_out and (column.attribute or column.meaning):
        yield f"{column.left_out} not stored"
