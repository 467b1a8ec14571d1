"""The landing page of the company in `company`, with four weeks of visits."""

import random
import zlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from engine.assets import assets
from engine.landing import store, visits
from engine.landing.store import Change
from engine.tracking import views
from models.session import Session
from tests.engine.assets import samples

SLUG = "guia"
_PICTURES = {"tarifas.png": (600, 600, 5), "factura.png": (960, 480, 12)}  # width, height and number of bars
_PAGE: dict[str, Any] = {
    "title": {"es": "Guía: energía sin sorpresas", "en": "Guide: energy without surprises"},
    "description": {"es": "Doce páginas para comparar ofertas.", "en": "Twelve pages to compare offers."},
    "design": "bold",
    "blocks": [
        {"kind": "hero", "title": {"es": "Energía sin sorpresas", "en": "Energy without surprises"},
         "text": {"es": "Doce páginas para comparar ofertas en una tarde.", "en": "Twelve pages to compare offers."},
         "button": {"es": "Quiero la guía", "en": "Get the guide"}, "target": "#form"},
        {"kind": "benefits", "title": {"es": "Qué contiene", "en": "What it has"}, "items": [
            {"title": {"es": "Precios"}, "text": {"es": "Los de veinte tarifas, mes a mes."}},
            {"title": {"es": "Plazos"}, "text": {"es": "Cuándo se puede cambiar, y cuándo no."}},
            {"title": {"es": "Un ejemplo"}, "text": {"es": "El de una fábrica de Ávila."}},
        ]},
        {"kind": "picture", "picture": "", "alt": {"es": "Barras: la factura baja de mes en mes"},
         "caption": {"es": "La factura de una fábrica, en doce meses"}},
        {"kind": "quote", "text": {"es": "Ahorramos un mes de factura."}, "author": {"es": "Eva Ruiz"}},
        {"kind": "form", "form": SLUG, "title": {"es": "Reciba la guía", "en": "Receive the guide"}},
        {"kind": "legal", "text": {"es": "Sus datos sirven para enviarle la guía."}},
    ],
}  # fmt: skip


_SIGNED_UP = text("""
UPDATE form_submissions SET landing_page_id = :page_id, source = (ARRAY['', 'boletin', 'linkedin'])[1 + place % 3]
  FROM (SELECT id AS one, row_number() OVER (ORDER BY submitted_at) AS place FROM form_submissions) ordered
 WHERE id = one AND place % 5 < 2
""")


def fill(session: Session, *, now: datetime) -> None:
    """Store the page, published and with a newer draft, with a picture, its visits and sign-ups. Its form is there."""
    chance, began = random.Random(5), now - timedelta(days=27)
    _, bars = (assets.add(session, _drawn(*size), name, account_id=None, now=began) for name, size in _PICTURES.items())
    blocks = [{**block, "picture": bars.path} if block["kind"] == "picture" else block for block in _PAGE["blocks"]]
    content = {**_PAGE, "blocks": blocks}
    store.create(session, SLUG, content, change=Change("lucia"), now=began)
    page = store.publish(session, SLUG, None, now=began)
    draft = {**content, "noindex": True}
    store.save(session, SLUG, draft, change=Change("lucia", "Título y aspecto"), now=now - timedelta(days=2))
    for ago in range(27):
        for source, most in (("", 40), ("boletin", 25), ("linkedin", 12)):
            key = views.key(page.id, source, now - timedelta(days=ago))
            visits.add(session, {key: (chance.randrange(1, most), chance.randrange(most // 3))})
    session.execute(_SIGNED_UP, {"page_id": page.id})


def _drawn(width: int, height: int, bars: int) -> bytes:
    """Return a PNG with bars that become lower from left to right."""
    light, dark = bytes((230, 241, 239)), bytes((11, 107, 98))
    step = width // bars
    rows = []
    for y in range(height):
        tops = (height * (2 + number) // (bars + 4) for number in range(bars))
        row = b"".join(light * (step // 4) + (dark if y > top else light) * (step - step // 4) for top in tops)
        rows.append(b"\0" + row + light * (width - step * bars))
    header = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 2, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(samples.chunk(*each) for each in chunks)
