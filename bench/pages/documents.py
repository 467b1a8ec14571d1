"""Forms, landing pages, stored templates, pictures and accounts for the pages, beside the rows of `bench.pages.rows`.

python -m bench.pages.documents                in the database that DATABASE_URL names, if it has none of them yet

There are more of each than one page lists. One form has 100,000 submissions, one landing page 30 days of visits by 40
sources, and one template and one landing page have hundreds of versions.
"""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

import settings
from bench.report.progress import say
from engine.access import accounts
from engine.engagement.uploads import content as uploaded
from engine.engagement.uploads import lifecycle
from engine.forms import forms
from engine.forms.services import FormServices
from engine.landing import starters
from engine.landing import store as landing
from engine.templates.templates import Library
from engine.templates.versions import store as templates
from engine.templates.versions.content import Content
from models import vault
from models.session import Session, transaction

SLUG, TEMPLATE = "guia", "carta"  # of the form and the page with the most rows, and of the template
MANY, SUBMISSIONS, VERSIONS = 60, 100_000, 500
_HTML = (
    '<html lang="es"><body><h1>Hola, {{ nombre }}</h1>'
    + "<p>Doce páginas para comparar ofertas en una tarde, con los precios de veinte tarifas, mes a mes.</p>" * 40
    + "</body></html>"
)
_TITLE = {"es": "Guía: energía sin sorpresas", "en": "Guide: energy without surprises"}
_FORM: dict[str, Any] = {
    "title": _TITLE,
    "fields": [
        {"name": "first_name", "label": {"es": "Nombre", "en": "First name"}, "required": True},
        {"name": "size", "label": {"es": "Tamaño", "en": "Size"}, "options": ["1-10", "11-50"]},
    ],
    "consent": {"es": "Acepto recibir correos.", "en": "I agree to get e-mails."},
}
_ROWS = (
    """
INSERT INTO form_submissions (id, form_id, state, language, submitted_at, consent_text_id, confirmed_at, confirmed_by,
                              page, address, fields)
SELECT encode(int8send(((date_part('epoch', at) * 1000)::bigint << 16) | 28672 | (n & 4095))
              || int8send((1::bigint << 63) | n), 'hex')::uuid, f.id, it.state, 'es', at, t.id,
       CASE it.state WHEN 'confirmed' THEN at + interval '1 hour' END, CASE it.state WHEN 'confirmed' THEN 'press' END,
       'https://www.tienda.example/guia', CASE it.state WHEN 'pending' THEN :address END,
       CASE it.state WHEN 'pending' THEN :fields END
  FROM forms f JOIN consent_texts t ON t.form_id = f.id, generate_series(1, :submissions) AS n,
       LATERAL (SELECT now() - n * interval '40 s' AS at,
                       CASE WHEN n % 3 > 0 THEN 'confirmed' WHEN n < 15000 THEN 'pending' ELSE 'expired' END AS state
               ) AS it
 WHERE f.slug = :slug""",
    """
INSERT INTO form_views (form_id, day, views, machine_views)
SELECT id, now()::date - n, 900, 60 FROM forms, generate_series(0, 60) AS n""",
    """
INSERT INTO page_visits (page_id, hour, source, views, machine_views)
SELECT p.id, date_trunc('hour', now()) - n * interval '1 hour', 'fuente ' || s, 7, 2
  FROM pages p, generate_series(0, 719) AS n, generate_series(1, 40) AS s WHERE p.slug = :slug""",
    """
INSERT INTO page_visit_days (page_id, day, source, views, machine_views)
SELECT page_id, CAST(hour AT TIME ZONE 'UTC' AS date) AS day, source, sum(views), sum(machine_views)
  FROM page_visits GROUP BY page_id, day, source""",
    """
INSERT INTO page_versions (page_id, version, content, digest, author, note, created_at)
SELECT page_id, n, content, digest, author, 'Título', now() - interval '1 day'
  FROM page_versions v JOIN pages p ON p.id = v.page_id, generate_series(2, :versions) AS n
 WHERE p.slug = :slug AND v.version = 1""",
    "UPDATE pages SET version = :versions WHERE slug = :slug",
    """
INSERT INTO template_versions (template_id, version, subject, preheader, html, mjml, text, sample, digest, note,
                               created_at)
SELECT template_id, n, subject, preheader, replace(html, 'Doce', n::text), mjml, text, sample,
       sha256(int4send(n)), 'Nota', now() - interval '1 day'
  FROM template_versions v JOIN templates t ON t.id = v.template_id, generate_series(2, :versions) AS n
 WHERE t.name = :template AND v.version = 1""",
    "UPDATE templates SET newest_version = :versions, published_version = 1 WHERE name = :template",
    """
INSERT INTO assets (id, digest, extension, width, height, size_bytes, name, octets, created_at)
SELECT gen_random_uuid(), left(encode(sha256(int4send(n)), 'hex'), 40), 'gif', 600, 300, 60000, 'foto ' || n,
       decode(repeat('00', 60000), 'hex'), now() - n * interval '1 hour' FROM generate_series(1, :many) AS n""",
    """
INSERT INTO accounts (id, name, password_hash, scopes, created_at)
SELECT gen_random_uuid(), 'persona ' || n, password_hash, scopes, created_at
  FROM accounts, generate_series(1, :many) AS n WHERE name = 'lucia'""",
    "ANALYZE",
)


def fill() -> None:
    """Store the documents, unless the database has them already."""
    with transaction() as session:
        if session.scalar(text("SELECT count(*) FROM forms")):
            return
        now = datetime.now(UTC) - timedelta(days=90)
        _make(session, now)
        keys = vault.current()
        address, fields = keys.encrypt("ana@feria.example"), keys.encrypt('{"first_name": "Ana", "size": "1-10"}')
        values = {"submissions": SUBMISSIONS, "versions": VERSIONS, "many": MANY, "slug": SLUG, "template": TEMPLATE}
        for statement in _ROWS:
            session.execute(text(statement), {**values, "address": address, "fields": fields})
    say("documents are stored")


def _make(session: Session, now: datetime) -> None:
    """Store forms, landing pages, templates, accounts and an import by the functions of the product."""
    library = Library.configured(settings.current())
    services = FormServices.configured(settings.current(), library)
    starter = {"title": _TITLE, **starters.of(_TITLE)}
    for number in range(MANY):
        name = f"{number:02}"
        slug, template = (SLUG, TEMPLATE) if number == 0 else (f"{SLUG}-{name}", f"{TEMPLATE}_{name}")
        forms.create(session, {**_FORM, "slug": slug}, services=services, now=now)
        landing.create(session, slug, starter, change=landing.Change("lucia"), now=now)
        written = Content("Para {{ nombre }}", html=_HTML, sample={"nombre": "Ana"})
        templates.create(session, template, written, library=library, change=templates.Change(None, now))
    account = accounts.create(session, "lucia", f"password {now}", scopes=["reports"])
    spool = uploaded.Spool()
    spool.write(b"Correo;Nombre\nana@feria.example;Ana\n")
    spool.seek(0)
    lifecycle.create(session, account.id, "feria.csv", spool, now=now)


def main() -> None:
    """Run the command line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    fill()


if __name__ == "__main__":
    main()
