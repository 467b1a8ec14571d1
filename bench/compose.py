"""What it costs to compose a mail, against the standard library writing the same words as MIME."""

import json
import platform
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

from engine.messages import compose, links, templates
from engine.tracking import tokens

PARAGRAPH = (
    "<p>El seguimiento, {{ nombre }}, es la parte de la venta que nadie tiene tiempo de hacer: cada contacto pide su "
    "correo en el día y a la hora que le conviene, y un registro de lo que pasó después.</p>\n"
)
BODY = (
    '<html lang="es"><head><style>p { margin: 0 0 16px; color: #1f2933 } a { color: #0b6b62 }'
    "@media (prefers-color-scheme: dark) { p { color: #e4e9ee !important } }</style></head><body>\n"
    f"<h1>Seguimiento{{% if industria %}} en {{{{ industria }}}}{{% endif %}}</h1>\n{PARAGRAPH * 9}"
    '<p><a href="{{ link_calendly }}">Reservar</a> '
    '<a href="https://cadencia.example/precios?o=1&amp;p=2">Precios</a> '
    '<a href="https://cadencia.example/{{ empresa|urlencode }}">{{ empresa }}</a></p>\n'
    '<p><a href="{{ unsubscribe_url }}">Darme de baja</a></p>\n</body></html>\n'
)
TEXT = (
    "Hola, {{ nombre }}:\n\n"
    "El seguimiento en {{ industria }} es la parte de la venta que nadie tiene tiempo de hacer.\n\n"
    "Reservar: {{ link_calendly }}\nPrecios: https://cadencia.example/precios?o=1&p=2\n\nBaja: {{ unsubscribe_url }}\n"
)
VARIABLES = {
    "nombre": "Juan Pérez",
    "industria": "Marketing",
    "link_calendly": "https://agenda.example/cadencia/quince-minutos",
    "empresa": "Estudio Ronda",
}
EMAIL_ID = UUID("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
SENDER = compose.From(
    "Lucía Ferrer <lucia@cadencia.example>", "ventas@cadencia.example", "https://mail.cadencia.example"
)
MESSAGE = compose.Message(
    email_id=EMAIL_ID, message_id="0199a1b2c3d4@cadencia.example", to="juan@empresa.example", to_name="Juan Pérez",
    template="bench", variables=VARIABLES, kind="marketing",
)  # fmt: skip
ROUNDS = 7


def main() -> None:
    """Print the table, then one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        library = _library(Path(folder))
    signer = tokens.Signer([b"a tracking key of the benchmark"])
    composer = compose.Composer(library, signer, SENDER)
    addresses = links.Addresses(signer, SENDER.public_url, EMAIL_ID, unsubscribes=True)
    words = library.get("bench").render(VARIABLES, addresses)
    now = datetime.now(UTC)

    size = len(composer.compose(MESSAGE, now=now, eight_bit=True))
    ours = _microseconds(lambda: composer.compose(MESSAGE, now=now, eight_bit=True), 2_000)
    ascii_only = _microseconds(lambda: composer.compose(MESSAGE, now=now, eight_bit=False), 1_000)
    theirs = _microseconds(lambda: _with_email_message(words, addresses, now), 100)

    print(f"a mail of {size:,} bytes, 4 variables, 3 tracked links and a pixel; median CPU time of {ROUNDS} rounds")
    print(f"{'compose: render, sign, encode, for 8BITMIME':50}{ours:9.1f} us")
    print(f"{'the same as pure ASCII':50}{ascii_only:9.1f} us")
    print(f"{'EmailMessage: encode alone':50}{theirs:9.1f} us {theirs / ours:6.1f} x")
    figures = {
        "bench": "compose",
        "python": platform.python_version(),
        "compose_us_per_message": round(ours, 1),
        "compose_ascii_us_per_message": round(ascii_only, 1),
        "compose_over_email_message": round(theirs / ours, 1),
    }
    print(json.dumps(figures))


def _library(folder: Path) -> templates.Library:
    home = folder / "bench"
    home.mkdir()
    subject = "{{ nombre }}, el seguimiento en {{ industria }}"
    for name, source in (("subject.txt", subject), ("body.html", BODY), ("body.txt", TEXT), ("sample.json", "{}")):
        (home / name).write_text(source, "utf-8")
    library = templates.Library(folder)
    library.get("bench")
    return library


def _with_email_message(words: templates.Rendered, addresses: links.Addresses, now: datetime) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = SENDER.mail_from
    mail["To"] = f"{MESSAGE.to_name} <{MESSAGE.to}>"
    mail["Subject"] = words.subject
    mail["Date"] = now
    mail["Message-ID"] = f"<{MESSAGE.message_id}>"
    mail["Reply-To"] = SENDER.reply_to
    mail["List-Unsubscribe"] = f"<{addresses.unsubscribe}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(words.text)
    mail.add_alternative(words.html, subtype="html")
    return mail.as_bytes()


def _microseconds(call: Callable[[], object], times: int) -> float:
    return statistics.median(timeit.repeat(call, timer=time.process_time, number=times, repeat=ROUNDS)) / times * 1e6


if __name__ == "__main__":
    main()
