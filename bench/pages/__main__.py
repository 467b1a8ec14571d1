"""First byte of each page at a million contacts against an empty page, and pixels while 50 pages are open.

python -m bench.pages                      makes the database first: some minutes
python -m bench.pages --contacts 10000     a quick run
python -m bench.pages --filled             with the database of this environment, filled by `bench.pages.rows`
"""

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from bench import hits
from bench.pages import documents, paths, rows
from bench.pages.visitor import Answer, Visitor, watching
from bench.report import figures
from bench.report.progress import say
from bench.testbed.installation import Installation, environment, forget, installed
from bench.testbed.served import Served, served, work
from bench.testbed.views import View
from engine.access import accounts, bearer_tokens
from models.session import transaction

EMPTY = "/app/account"  # the page with the least content
OPEN_PAGES = 50
_ROUNDS = 15
_KEYS = ("DATABASE_URL", "FERNET_KEYS", "INDEX_KEY", "TRACKING_KEYS")
_NAME = "bench pages"


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    options = _options()
    filled = {name: os.environ[name] for name in _KEYS} if options.filled else {}
    with installed(smtp_port=9, **{name: value for name, value in filled.items() if name != "DATABASE_URL"}) as bench:
        url = filled.get("DATABASE_URL") or _filled(bench, options.contacts)
        with ExitStack() as servers:
            empty = Visitor(servers.enter_context(served(bench)).port, _session())
            servers.enter_context(environment({"DATABASE_URL": url}))
            forget()
            documents.fill()
            server = servers.enter_context(served(bench))
            visitor = Visitor(server.port, _session())
            lines = _first_bytes(empty, visitor)
            lines.append(_pixels(bench, server, visitor, options.runs))
    print("\n".join(lines), flush=True)


def _filled(bench: Installation, contacts: int) -> str:
    """Return the URL of a second database of the installation, with generated rows."""
    bench.postgres.create("pages")
    with environment({"DATABASE_URL": bench.postgres.url("pages")}):
        forget()
        rows.migrated(contacts)
    forget()
    return bench.postgres.url("pages")


def _session() -> str:
    """Return the cookie of a signed-in account that may see everything."""
    now = datetime.now(UTC)
    with transaction() as session:
        proof = accounts.find(session, _NAME)
        profile = proof.profile if proof else accounts.create(session, _NAME, f"password {now}", scopes=["admin"])
    return bearer_tokens.issue_session(profile, now=now)


def _first_bytes(empty: Visitor, visitor: Visitor) -> list[str]:
    """Return the figures of pages and fragments: the slowest of each, over the empty page in alternating requests."""
    ratios: dict[str, float] = {}
    fragments: dict[str, float] = {}
    unchanged: dict[str, float] = {}
    for path in paths.all_of_them():
        shown, tag = [visitor.fetch(path) for _ in range(2)][-1]  # fills caches
        if shown.status != 200:
            say(f"{shown.status} {path}")
            continue
        ratio, answer = _ratio(empty, visitor, path)
        _keep(fragments if answer.is_fragment else ratios, path, ratio)
        kind = "part" if answer.is_fragment else "page"
        say(f"{ratio:6.2f}  {answer.ms:6.1f} ms  {answer.size:>6} bytes  {kind}  {path}")
        if answer.is_fragment and tag:
            ratio, answer = _ratio(empty, visitor, path, tag)
            _keep(unchanged, path, ratio)
            say(f"{ratio:6.2f}  {answer.ms:6.1f} ms  {answer.status:>6}        part  {path}, asked for by its tag")
    by_kind = {"page": ratios, "fragment": fragments, "unchanged_fragment": unchanged}
    return [_figure(f"{name}_over_empty_page", values) for name, values in by_kind.items()]


def _ratio(empty: Visitor, visitor: Visitor, path: str, tag: str = "") -> tuple[float, Answer]:
    pairs = [(empty.get(EMPTY).ms, visitor.get(path, tag)) for _ in range(_ROUNDS)]
    middle, shown = statistics.median(answer.ms for _, answer in pairs), pairs[-1][1]
    answer = Answer(shown.status, middle, shown.size, shown.is_fragment)
    return middle / statistics.median(ms for ms, _ in pairs), answer


def _keep(ratios: dict[str, float], path: str, ratio: float) -> None:
    """Keep the larger ratio of two paths that differ in their ids only, such as those of two contacts."""
    ratios[_generic(path)] = max(ratio, ratios.get(_generic(path), 0.0))


def _generic(path: str) -> str:
    """Return the path with a star for each id."""
    return "/".join("*" if len(part) == 36 else part for part in path.split("/"))


def _figure(name: str, ratios: Mapping[str, float]) -> str:
    if not ratios:
        return figures.skipped(name, "there is none")
    slowest = sorted(ratios, key=lambda path: -ratios[path])
    return figures.of(name, [ratios[slowest[0]]], ratios={path: round(ratios[path], 2) for path in slowest}).line


def _pixels(bench: Installation, server: Served, visitor: Visitor, runs: int) -> str:
    """Return the figure of pixels per second with open pages over those without, alternating."""
    work(bench, "worker-events", "beat")
    (pixel, *_) = hits.views_to_measure(bench, server)
    followed = next(path for path in paths.all_of_them() if path.endswith("/progress"))
    pixel.measure(bench, 1.0)
    ratios = [_pixels_of_a_run(bench, pixel, visitor, followed) for _ in range(runs)]
    return figures.of("pixels_with_fifty_pages", ratios, pages=OPEN_PAGES).line


def _pixels_of_a_run(bench: Installation, pixel: View, visitor: Visitor, followed: str) -> float:
    """Return pixels with pages over those before and after, so that drift is not taken for an effect."""
    before = pixel.measure(bench, 3.0)
    with watching(visitor, followed, OPEN_PAGES) as fetched:
        beside = pixel.measure(bench, 6.0)
    after = pixel.measure(bench, 3.0)
    say(f"{len(fetched)} fragments fetched, the median in {statistics.median(fetched):.1f} ms")
    return beside / ((before + after) / 2)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000, help="how many (default: %(default)s)")
    parser.add_argument("--filled", action="store_true", help="use the database of this environment")
    parser.add_argument("--runs", type=int, default=5, help="of the pixels (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
