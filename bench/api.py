"""Accepted sends, batches of 500 and sign-ups by a form per second, against an empty Flask view behind the same server.

python -m bench.api                the short form
python -m bench.api --runs 9       more rounds
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import settings
from bench.report import figures
from bench.testbed import views
from bench.testbed.installation import Installation
from bench.testbed.load import Load
from bench.testbed.served import Served, caller
from bench.testbed.views import CONNECTIONS, View
from engine.forms import forms
from engine.forms.services import FormServices
from models.session import transaction

BATCH = 500
_UNLIMITED = {"FORM_RATE": "1000000000 per hour", "ONE_FORM_RATE": "1000000000 per hour", "TRUSTED_PROXIES": "1"}
# A sign-up waits for the commit of its group, so that 32 requests at once leave a quarter of both cores idle.
SIGN_UPS_AT_ONCE = 96
_PEOPLE = 200  # addresses that sign-ups come from, as a proxy names them: one address may send 16 bodies at once
_FORM = {
    "slug": "guia",
    "title": {"es": "Guía de seguimiento"},
    "fields": [{"name": "first_name", "label": {"es": "Nombre"}, "required": True}],
    "consent": {"es": "Acepto recibir correos."},
}
_MAIL = (
    '{"to": "persona@@@empresa.example", "template": "email_1_roi", "variables": {"nombre": "Juan Pérez", '
    '"industria": "Marketing", "link_calendly": "https://calendly.example/juan"}}'
)


@dataclass(frozen=True, slots=True)
class Round:
    """Rates of one round: empty views, single sends, batched e-mails and sign-ups per second.

    `signed_up` is by `SIGN_UPS_AT_ONCE` connections, `signed_up_by_few` by as many as the other views have.
    """

    empty: float
    single: float
    batched: float
    signed_up_by_few: float
    signed_up: float


def main() -> None:
    """Run the command line: print the table, then one JSON line per figure."""
    rounds = [Round(*each) for each in views.rounds(__doc__, views_to_measure, **_UNLIMITED)]
    print("\n".join(figure_lines(rounds)), flush=True)


def views_to_measure(installation: Installation, server: Served) -> list[View]:
    """Return the requests: single sends, and batches, of the same e-mail to different contacts; sign-ups of others."""
    token = caller(["send"])
    single, batch = installation.folder / "send.json", installation.folder / "batch.json"
    single.write_text(_MAIL)
    batch.write_text('{"emails": [' + ", ".join([_MAIL] * BATCH) + "]}")
    sign_up = Load("/f/guia", _sign_up(installation), clients=_PEOPLE)
    return [
        View("single", server, Load("/api/v1/emails/send", single, token)),
        View("batch", server, Load("/api/v1/emails/batch", batch, token), each=BATCH),
        View("form", server, sign_up),
        View("forms", server, sign_up, connections=SIGN_UPS_AT_ONCE),
    ]


def _sign_up(installation: Installation) -> Path:
    """Create a form; return the file with a submission of it, each time of another person."""
    services, now = FormServices.configured(settings.current()), datetime.now(UTC)
    with transaction() as session:
        form = forms.create(session, _FORM, services=services, now=now)
    stamp = services.signer.stamp(form.id, now - timedelta(minutes=1))
    values = {"email": "persona@@@empresa.example", "first_name": "Ana", "consent": "1", "stamp": stamp}
    file = installation.folder / "form.json"
    file.write_text(json.dumps(values))
    return file


def figure_lines(rounds: list[Round]) -> list[str]:
    """Return the figures as JSON lines: the medians of the ratios of the rounds."""
    facts = {
        "connections": CONNECTIONS,
        "empty_views_per_second": round(figures.middle([each.empty for each in rounds])),
        "sends_per_second": round(figures.middle([each.single for each in rounds])),
        "batched_messages_per_second": round(figures.middle([each.batched for each in rounds])),
    }
    single = figures.of("api_over_empty_view", [each.single / each.empty for each in rounds], **facts)
    batch = figures.of("batch_over_empty_view", [each.batched / each.empty for each in rounds], **facts)
    facts |= {
        "connections": SIGN_UPS_AT_ONCE,
        "sign_ups_per_second": round(figures.middle([each.signed_up for each in rounds])),
        f"sign_ups_per_second_by_{CONNECTIONS}": round(figures.middle([each.signed_up_by_few for each in rounds])),
    }
    form = figures.of("form_over_empty_view", [each.signed_up / each.empty for each in rounds], **facts)
    return [single.line, batch.line, form.line]


if __name__ == "__main__":
    main()
