"""The landing page of the company in `company`, with four weeks of visits."""

import random
from datetime import datetime, timedelta

from engine.landing import store, visits
from engine.landing.store import Change
from engine.tracking import views
from models.session import Session

SLUG = "guia"
_PAGE = {
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
        {"kind": "quote", "text": {"es": "Ahorramos un mes de factura."}, "author": {"es": "Eva Ruiz"}},
        {"kind": "form", "form": SLUG, "title": {"es": "Reciba la guía", "en": "Receive the guide"}},
        {"kind": "legal", "text": {"es": "Sus datos sirven para enviarle la guía."}},
    ],
}  # fmt: skip


def fill(session: Session, *, now: datetime) -> None:
    """Store the page, published and with a newer draft, and its visits. Its form is there."""
    chance, began = random.Random(5), now - timedelta(days=27)
    store.create(session, SLUG, _PAGE, change=Change("lucia"), now=began)
    page = store.publish(session, SLUG, None, now=began)
    draft = {**_PAGE, "noindex": True}
    store.save(session, SLUG, draft, change=Change("lucia", "Título y aspecto"), now=now - timedelta(days=2))
    for ago in range(27):
        for source, most in (("", 40), ("boletin", 25), ("linkedin", 12)):
            key = views.key(page.id, source, now - timedelta(days=ago))
            visits.add(session, {key: (chance.randrange(1, most), chance.randrange(most // 3))})
