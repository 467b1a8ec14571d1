"""Landing pages for tests."""

from typing import Any

from engine.landing import store
from engine.landing.store import Change, StoredPage
from models.session import Session
from tests.sends import NOW

PICTURE = "/a/0123456789abcdef.png"


def both(es: str, en: str = "") -> dict[str, str]:
    return {"es": es, "en": en} if en else {"es": es}


def blocks() -> list[dict[str, Any]]:
    """Return a block of each kind, but no form."""
    return [
        {"kind": "hero", "title": both("Más respuestas", "More replies"), "text": both("En doce días."),
         "button": both("Quiero la guía", "Get the guide"), "target": "#form"},
        {"kind": "text", "title": both("Por qué"), "text": both("Uno.\n\nDos & <b>tres</b>.", "One.\n\nTwo.")},
        {"kind": "benefits", "title": both("Ventajas"),
         "items": [{"title": both("Rápido"), "text": both("Dos horas.")}]},
        {"kind": "quote", "text": both("Contestaron todos."), "author": both("Eva Ruiz"), "role": both("Directora")},
        {"kind": "picture", "picture": PICTURE, "alt": both("Una curva"), "caption": both("Respuestas por día")},
        {"kind": "legal", "text": both("Ronda SL, <a href=\"https://ronda.example/legal\">aviso legal</a>.")},
    ]  # fmt: skip


def content(**changes: Any) -> dict[str, Any]:
    return {"title": both("Guía de seguimiento", "Follow-up guide"), "blocks": blocks(), **changes}


def create(session: Session, slug: str = "guia", **changes: Any) -> StoredPage:
    return store.create(session, slug, content(**changes), change=Change("lucia"), now=NOW)


def published(session: Session, slug: str = "guia", **changes: Any) -> StoredPage:
    create(session, slug, **changes)
    return store.publish(session, slug, None, now=NOW)
