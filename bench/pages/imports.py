"""Contacts imported per second: by the pages and a worker, and by the command with and without the indexes of searches.

python -m bench.pages.imports                    two alternating runs of 100,000 rows
python -m bench.pages.imports --rows 10000       a quick run
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
from sqlalchemy import text

from bench.report import figures
from bench.report.progress import say
from bench.testbed.installation import Installation, installed
from bench.testbed.served import work
from engine import bell
from engine.access import accounts
from engine.engagement.uploads import content, lifecycle
from models.session import transaction

_FIRST = ("Ana", "María", "José", "Lucía", "Carlos", "Elena", "Javier", "Sofía", "Miguel", "Carmen", "Álvaro", "Íñigo")
_LAST = ("García", "Ruiz", "López", "Ortega", "Sánchez", "Núñez", "Pérez", "Ibáñez", "Gómez", "Vidal", "Álvarez")
_INDUSTRIES = ("Logística", "Marketing", "Salud", "Hostelería", "Industria", "Educación")
_SEARCHED = ("full_name", "last_name", "company", "industry_id", "role_id")
_TABLES = text("TRUNCATE contacts, suppressions, file_imports, file_import_faults CASCADE")


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="of the file (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=2, help="alternating ones (default: %(default)s)")
    options = parser.parse_args()
    with installed(smtp_port=9) as bench:
        file = _written(bench.folder / "contacts.csv", options.rows)
        work(bench, "worker-events")
        runs = [_run(bench, file, options.rows) for _ in range(options.runs)]
    by_page = [page / command for command, _, page in runs]
    indexed = [command / bare for command, bare, _ in runs]
    print(figures.of("import_page_over_command", by_page, rows=options.rows).line)
    print(figures.of("import_with_indexes_over_without", indexed, rows=options.rows).line, flush=True)


def _run(bench: Installation, file: Path, rows: int) -> tuple[float, float, float]:
    """Return the rows per second by the command, by the command without indexes of searches, and by a worker."""
    by_command = _measured(bench, "command", lambda: _by_command(file), rows)
    with _without_indexes(bench):
        bare = _measured(bench, "command without the indexes", lambda: _by_command(file), rows)
    return by_command, bare, _measured(bench, "page and worker", lambda: _by_page(file), rows)


def _measured(bench: Installation, name: str, run: Callable[[], None], rows: int) -> float:
    with transaction() as session:
        session.execute(_TABLES)
    bench.settle()
    began = time.monotonic()
    run()
    took_s = time.monotonic() - began
    with transaction() as session:
        stored = session.scalar(text("SELECT count(*) FROM contacts"))
    if stored != rows:
        raise RuntimeError(f"{name}: {stored} of {rows} contacts were stored")
    say(f"{name:28} {rows / took_s:8.0f} rows/s")
    return rows / took_s


def _by_command(file: Path) -> None:
    subprocess.run([sys.executable, "-m", "cli", "contacts", "import", str(file)], check=True, capture_output=True)


def _by_page(file: Path) -> None:
    """Upload the file and start its import as the pages do, then wait for the worker."""
    now = datetime.now(UTC)
    spool = content.Spool()
    with file.open("rb") as source:
        while part := source.read(64 * 1024):
            spool.write(part)
    spool.seek(0)
    with transaction() as session:
        account = accounts.create(session, f"bench {now}", f"password of {now}", scopes=["contacts"])
        import_id = lifecycle.create(session, account.id, file.name, spool, now=now)
    with transaction() as session:
        lifecycle.start(session, import_id, now=now)
    bell.ring("imports")
    while not _has_ended(import_id):
        time.sleep(0.1)


def _has_ended(import_id: UUID) -> bool:
    with transaction() as session:
        return lifecycle.view(session, import_id).ended_at is not None


@contextmanager
def _without_indexes(bench: Installation) -> Iterator[None]:
    """Drop the indexes by which contacts are searched, and create them again."""
    names = [f"ix_contacts_{name}" for name in _SEARCHED]
    with psycopg.connect(bench.postgres.url("bench"), autocommit=True) as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)"
        definitions = [definition for (definition,) in connection.execute(query, [names])]
        connection.execute(f"DROP INDEX {', '.join(names)}".encode())
        yield
        for definition in definitions:
            connection.execute(definition)


def _written(file: Path, rows: int) -> Path:
    """Write a file of contacts as a CRM exports them."""
    with file.open("w", encoding="utf-8") as out:
        out.write("Correo;Nombre;Apellidos;Empresa;Sector;Cargo\n")
        for number in range(rows):
            last = f"{_LAST[number % 11]} {_LAST[number // 11 % 11]}"
            company = f"Talleres {_LAST[number // 9 % 11]} {number % 5000}"
            out.write(
                f"persona{number}@empresa{number % 9973}.example;{_FIRST[number % 12]};{last};{company};"
                f"{_INDUSTRIES[number % 6]};Gerente\n"
            )
    return file


if __name__ == "__main__":
    main()
