"""The views of landing pages: the page and its style sheet. `front` answers most visits of pages before them."""

import re
from pathlib import Path

from flask import Response, request

import errors
from engine import clock
from engine.landing import published
from engine.templates.brand import Brand
from errors import Unavailable
from models import ids
from web.http.auth import public
from web.ingest import group_commit
from web.public.landing_pages import page_cache, renewal
from web.public.pages import blueprint

_CSS = (Path(__file__).parents[1] / "static" / "landing.css").read_text("utf-8")
_CACHED_S = 3_600
_STYLE = re.compile(r"([0-9a-f]{6})-([0-9a-f]{6})")

pages = blueprint("landing", unknown="no_page")


@pages.get("/p/<slug>")
@public("a published page is for everybody")
def show(slug: str) -> Response:
    """Show a published page; a reader who followed a link of an e-mail lately is greeted by the first name."""
    cache, cached = page_cache.current(), renewal.page(slug, group_commit.current().run)
    query = page_cache.read(request.environ)
    first_name = _first_name(query.email_id) if query.email_id else ""
    fields, html = cache.response(cached, query, request.environ, first_name)
    return Response(html, headers=fields)


@pages.get("/p/style/<name>.css")
@public("a style sheet holds no data")
def style(name: str) -> Response:
    """Return the style sheet with these colours; browsers cache it for an hour."""
    parts = _STYLE.fullmatch(name)
    if parts is None:
        raise errors.NotFound("style: there is none with this name")
    color, background = parts.groups()
    response = Response(_colors(f"#{color}", f"#{background}") + _CSS, content_type="text/css; charset=utf-8")
    response.cache_control.max_age = _CACHED_S
    response.add_etag()
    response.make_conditional(request)
    return response


def _first_name(email_id: str) -> str:
    """Return the first name for the greeting; empty without a recent e-mail, and while the database is unavailable."""
    parsed = ids.parse(email_id)
    if parsed is None:
        return ""
    try:
        return group_commit.current().run(lambda session: published.first_name(session, parsed, now=clock.now()))
    except Unavailable:
        return ""


def _colors(color: str, background: str) -> str:
    brand = Brand(color=color)
    light = f"--mark: {color}; --on-mark: {brand.text_on(color)}; --link: {color}; --paper: {background};"
    dark = f"--mark: {brand.dark_color}; --on-mark: {brand.text_on(brand.dark_color)}; --link: {brand.dark_color};"
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} --paper: #11161c; }} }}\n"
