"""Pixels and clicks, each stored before it is answered, against an empty Flask view behind the same server.

python -m bench.hits               the short form
python -m bench.hits --runs 9      more rounds
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

import settings
from bench.api import CONNECTIONS, View
from bench.installation import Installation, installed
from bench.load import Load
from bench.report import figures
from bench.served import Served, served
from engine.tracking import tokens
from models import ids
from models.session import transaction

MAILS = 50_000  # more than are asked for in a second: what one reader does within a second is one event
_TARGET = "https://agenda.example/cadencia?utm_source=correo&utm_campaign=logistica"
_CONTACT = text(
    "INSERT INTO contacts (id, email, email_index, created_at, updated_at) VALUES (:id, '', :index, now(), now())"
)
_MAILS = text("""
    INSERT INTO emails (id, contact_id, template, subject, status, lane, message_id, accepted_at, sent_at, due_at)
    SELECT unnest(CAST(:ids AS uuid[])), :contact, 'bench', 'bench', 'sent', 'campaign', 'bench', now(), now(), now()
""")


@dataclass(frozen=True, slots=True)
class Round:
    """One look at each, one after the other: empty views, pixels and clicks a second."""

    empty: float
    pixels: float
    clicks: float


def main() -> None:
    """The command line: the table, then a JSON line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each part of a round (default: %(default)s)")
    options = parser.parse_args()
    with (
        installed(smtp_port=9) as installation,
        served(installation) as ours,
        served(installation, "bench.empty:create_app", "/") as empty,
    ):
        paths = asked_for(installation.folder, mails())
        look(installation, ours, empty, paths, 1.0)  # to warm up
        installation.settle()
        rounds = [look(installation, ours, empty, paths, options.seconds) for _ in range(options.runs)]
    print("\n".join(told(rounds)), flush=True)


def mails() -> list[UUID]:
    """Sent mails, in the ledger."""
    made, contact = [ids.new() for _ in range(MAILS)], ids.new()
    with transaction() as session:
        session.execute(_CONTACT, {"id": contact, "index": contact.bytes})
        session.execute(_MAILS, {"ids": made, "contact": contact})
    return made


def asked_for(folder: Path, made: list[UUID]) -> tuple[Path, Path]:
    """Files of the addresses of their pixels, and of a link in each."""
    signer = tokens.Signer(settings.current().tracking_ring)
    pixels, clicks = folder / "pixels", folder / "clicks"
    pixels.write_text("\n".join(f"/o/{signer.opened(each)}.gif" for each in made))
    clicks.write_text("\n".join(f"/c/{signer.clicked(each, 1, _TARGET)}" for each in made))
    return pixels, clicks


def look(installation: Installation, ours: Served, empty: Served, paths: tuple[Path, Path], seconds: float) -> Round:
    """One round: the three loads in turn, and what each took. Fails when a hit is neither stored nor a repetition."""
    views = [
        View("empty", empty, Load("/")),
        View("pixel", ours, Load("/", paths=paths[0])),
        View("click", ours, Load("/", paths=paths[1])),
    ]
    return Round(*[view.measure(installation, seconds) for view in views])


def told(rounds: list[Round]) -> list[str]:
    """Both figures as JSON lines: the medians of the ratios of the rounds."""
    facts = {
        "connections": CONNECTIONS,
        "empty_views_per_second": round(figures.middle([each.empty for each in rounds])),
        "pixels_per_second": round(figures.middle([each.pixels for each in rounds])),
        "clicks_per_second": round(figures.middle([each.clicks for each in rounds])),
    }
    pixel = figures.of("pixel_over_empty_view", [each.pixels / each.empty for each in rounds], **facts)
    click = figures.of("click_over_empty_view", [each.clicks / each.empty for each in rounds], **facts)
    return [pixel.line, click.line]


if __name__ == "__main__":
    main()
