"""Accepted sends and batches of 500 per second, against an empty Flask view behind the same server.

python -m bench.api                the short form
python -m bench.api --runs 9       more rounds
"""

from dataclasses import dataclass

from bench.report import figures
from bench.testbed import views
from bench.testbed.installation import Installation
from bench.testbed.load import Load
from bench.testbed.served import Served, caller
from bench.testbed.views import CONNECTIONS, View

BATCH = 500
_MAIL = (
    '{"to": "persona@@@empresa.example", "template": "email_1_roi", "variables": {"nombre": "Juan Pérez", '
    '"industria": "Marketing", "link_calendly": "https://calendly.example/juan"}}'
)


@dataclass(frozen=True, slots=True)
class Round:
    """Rates of one round: empty views, single sends and batched e-mails per second."""

    empty: float
    single: float
    batched: float


def main() -> None:
    """Run the command line: print the table, then one JSON line per figure."""
    print("\n".join(figure_lines([Round(*each) for each in views.rounds(__doc__, views_to_measure)])), flush=True)


def views_to_measure(installation: Installation, server: Served) -> list[View]:
    """Return the requests: single sends, and batches, of the same e-mail to different contacts."""
    token = caller(["send"])
    single, batch = installation.folder / "send.json", installation.folder / "batch.json"
    single.write_text(_MAIL)
    batch.write_text('{"emails": [' + ", ".join([_MAIL] * BATCH) + "]}")
    return [
        View("single", server, Load("/api/v1/emails/send", single, token)),
        View("batch", server, Load("/api/v1/emails/batch", batch, token), each=BATCH),
    ]


def figure_lines(rounds: list[Round]) -> list[str]:
    """Return both figures as JSON lines: the medians of the ratios of the rounds."""
    facts = {
        "connections": CONNECTIONS,
        "empty_views_per_second": round(figures.middle([each.empty for each in rounds])),
        "sends_per_second": round(figures.middle([each.single for each in rounds])),
        "batched_messages_per_second": round(figures.middle([each.batched for each in rounds])),
    }
    single = figures.of("api_over_empty_view", [each.single / each.empty for each in rounds], **facts)
    batch = figures.of("batch_over_empty_view", [each.batched / each.empty for each in rounds], **facts)
    return [single.line, batch.line]


if __name__ == "__main__":
    main()
