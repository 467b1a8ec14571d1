"""CPU time to compose a message, against the standard library writing the same words as MIME.

Measures two templates: one that only prints variables, whose messages are prerendered, and one with a filter, which
is rendered for each message.
"""

import json
import platform
import tempfile
import time
import timeit
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import UUID

from engine.messages import compose, links
from engine.templates import templates
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
    '<a href="https://cadencia.example/{{ empresa_id }}">{{ empresa }}</a></p>\n'
    '<p><a href="{{ unsubscribe_url }}">Darme de baja</a></p>\n</body></html>\n'
)
TEXT = (
    "Hola, {{ nombre }}:\n\n"
    "El seguimiento en {{ industria }} es la parte de la venta que nadie tiene tiempo de hacer.\n\n"
    "Reservar: {{ link_calendly }}\nPrecios: https://cadencia.example/precios?o=1&p=2\n\nBaja: {{ unsubscribe_url }}\n"
)
FILTERED = BODY.replace("{{ empresa_id }}", "{{ empresa|urlencode }}")
SENDER = compose.From(
    "Lucía Ferrer <lucia@cadencia.example>", "ventas@cadencia.example", "https://mail.cadencia.example"
)
FIRST_NAMES = ("Juan", "Lucía", "Íñigo", "Ana", "Begoña", "Marc", "Noa")
LAST_NAMES = ("Pérez", "Ferrer", "Ibáñez", "Prat", "Núñez")
INDUSTRIES = ("Marketing", "Logística", "Software")
MESSAGES = 2_000  # all different, so that no cache helps more than in a campaign
ROUNDS = 15


def main() -> None:
    """Print the table, then one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        library = _library(Path(folder))
    signer = tokens.Signer([b"a tracking key of the benchmark"])
    composer = compose.Composer(library, signer, SENDER)
    messages = [_message(number) for number in range(MESSAGES)]
    filtered = [message._replace(template="filtered") for message in messages]
    now = datetime.now(UTC)

    def compose_it(message: compose.Email) -> bytes:
        return composer.compose(message, now=now, eight_bit=True).data

    size = len(compose_it(messages[0]))
    ours = _microseconds(compose_it, messages)
    rendered = _microseconds(compose_it, filtered)
    ascii_only = _microseconds(lambda message: composer.compose(message, now=now, eight_bit=False).data, messages)
    addresses = links.SignedLinks(signer.email(messages[0].email_id), SENDER.public_url, unsubscribes=True)
    words = library.get("bench").render(messages[0].variables, addresses)
    theirs = _microseconds(lambda message: _with_email_message(message, words, addresses, now), messages[:100])

    print(f"a message of {size:,} bytes, 5 variables, 3 tracked links and a pixel; least CPU time of {ROUNDS} rounds")
    print(f"{'compose: prerendered, for 8BITMIME':50}{ours:9.1f} us")
    print(f"{'with a filter in the template: rendered each time':50}{rendered:9.1f} us")
    print(f"{'as pure ASCII: encoded each time':50}{ascii_only:9.1f} us")
    print(f"{'EmailMessage: encode alone':50}{theirs:9.1f} us {theirs / ours:6.1f} x")
    figures = {
        "bench": "compose",
        "python": platform.python_version(),
        "compose_us_per_message": round(ours, 1),
        "compose_rendered_us_per_message": round(rendered, 1),
        "compose_ascii_us_per_message": round(ascii_only, 1),
        "compose_over_email_message": round(theirs / ours, 1),
    }
    print(json.dumps(figures))


def _library(folder: Path) -> templates.Library:
    subject = "{{ nombre }}, el seguimiento en {{ industria }}"
    library = templates.Library(folder)
    for name, body in (("bench", BODY), ("filtered", FILTERED)):
        home = folder / name
        home.mkdir()
        files = {"subject.txt": subject, "body.html": body, "body.txt": TEXT, "sample.json": "{}"}
        for filename, source in files.items():
            (home / filename).write_text(source, "utf-8")
        library.get(name)
    return library


def _message(number: int) -> compose.Email:
    email_id = UUID(int=0x0199A1B2C3D47E5F8A9B << 48 | number)
    name = f"{FIRST_NAMES[number % 7]} {LAST_NAMES[number % 5]}"
    variables = {
        "nombre": name,
        "industria": INDUSTRIES[number % 3],
        "link_calendly": f"https://agenda.example/cadencia/quince-minutos?c={number}",
        "empresa": f"Estudio {LAST_NAMES[number % 5]} {number}",
        "empresa_id": f"estudio-{number}",
    }
    return compose.Email(
        email_id=email_id, message_id=f"{email_id.hex}@cadencia.example", to=f"c{number}@empresa.example", to_name=name,
        template="bench", variables=variables, kind="marketing",
    )  # fmt: skip


def _with_email_message(
    message: compose.Email, words: templates.Rendered, addresses: links.SignedLinks, now: datetime
) -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = SENDER.mail_from
    mail["To"] = f"{message.to_name} <{message.to}>"
    mail["Subject"] = words.subject
    mail["Date"] = now
    mail["Message-ID"] = f"<{message.message_id}>"
    mail["Reply-To"] = SENDER.reply_to
    mail["List-Unsubscribe"] = f"<{addresses.unsubscribe}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(words.text)
    mail.add_alternative(words.html, subtype="html")
    return mail.as_bytes()


def _microseconds(make: Callable[[compose.Email], bytes], messages: Sequence[compose.Email]) -> float:
    """Return the CPU time of a message, the minimum of the rounds, because other processes may be running."""
    return (
        min(
            timeit.repeat(
                lambda: [make(message) for message in messages], timer=time.process_time, number=1, repeat=ROUNDS
            )
        )
        / len(messages)
        * 1e6
    )


if __name__ == "__main__":
    main()
