"""Run all benchmarks, then print the table of figures and one JSON line per figure.

python -m bench                     all of them, the short form
python -m bench --long              all of them, with five runs at a million contacts
python -m bench campaign million    only these
python -m bench --table             write the last figures of this machine into docs/performance.md; measure nothing
"""

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from bench.report import figures, page
from bench.report.progress import say


@dataclass(frozen=True)
class Part:
    """One benchmark: its module and the arguments of its long form."""

    name: str
    long: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Return the name of the module to run."""
        return f"bench.{self.name}"


PARTS = (
    Part("campaign"),
    Part("million", ("--runs", "5")),
    Part("ticks"),
    Part("latency"),
    Part("api"),
    Part("hits"),
    Part("attacks"),
    Part("events", ("--long",)),
    Part("compose"),
    Part("smtp_client"),
    Part("pages"),
    Part("pages.imports"),
)


def main() -> None:
    """Run the command line; exit with status 1 if a benchmark failed."""
    options = _options()
    if options.table:
        page.write(page.kept())
        return
    chosen = [part for part in PARTS if part.name in (options.parts or [each.name for each in PARTS])]
    results, failed = [], []
    for number, part in enumerate(chosen, 1):
        say(f"[{number}/{len(chosen)}] {part.name}")
        lines, status = run(part, part.long if options.long else ())
        results += lines
        failed += [part.name] if status else []
    show(results)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def run(part: Part, arguments: Iterable[str]) -> tuple[list[str], int]:
    """Run one benchmark and return the JSON lines of its figures and its exit status."""
    lines: list[str] = []
    command = [sys.executable, "-m", part.module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if figures.read(line) is None:
                print(line, end="", flush=True)
            else:
                lines.append(line.rstrip())
    return lines, process.returncode


def show(lines: list[str]) -> None:
    """Print the table and the JSON lines, and store both for `--table`."""
    results = [figure for line in lines if (figure := figures.read(line))]
    page.keep(results)
    if results:
        print(f"\n{figures.machine()}\n\n{figures.table(results)}\n{figures.split(results)}")
    print("\n".join(lines), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    there = [part.name for part in PARTS if importlib.util.find_spec(part.module)]
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which ones: {', '.join(there)} (default: all)")
    parser.add_argument("--long", action="store_true", help="five runs at a million contacts, too")
    parser.add_argument("--table", action="store_true", help="write what was measured into docs/performance.md")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(there):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    options.parts = options.parts or there
    return options


if __name__ == "__main__":
    main()
