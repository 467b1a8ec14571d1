"""The page of the inbox: a list of what came in, and one message as HTML, text, headers or source."""

from itertools import islice

from flask import Flask, Response, abort, render_template, request

from local.mail.mailstore import Mailstore, Stored
from local.mail.webmail import reading

PAGE_SIZE = 50
VIEWS = ("html", "text", "headers", "source")

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# A mail is a stranger's document: no scripts, no forms, an origin of its own. Links open in a new tab.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src {images}; frame-ancestors 'self'"
)


def create_app(store: Mailstore) -> Flask:
    """The page of this store, read-only. For the local machine: it asks nobody who they are."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]  # no other site may pose as this one by its DNS
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["subject"] = reading.subject

    @app.get("/")
    def messages() -> str:
        """The list, newest first."""
        return _list(store, before=request.args.get("before", type=int), to=request.args.get("to", "").strip())

    @app.get("/messages/<int:number>")
    def message(number: int) -> str:
        """One message."""
        return _message(store, number, view=request.args.get("view", ""))

    @app.get("/messages/<int:number>/body")
    def body(number: int) -> Response:
        """The HTML of one message, for the frame. Remote images only when asked: they count as an open."""
        html = reading.html(_found(store, number).raw) or abort(404)
        response = Response(reading.in_frame(html), mimetype="text/html")
        images = "data: http: https:" if "images" in request.args else "data:"
        response.headers["Content-Security-Policy"] = _MAIL_POLICY.format(images=images)
        return response

    @app.get("/messages/<int:number>.eml")
    def download(number: int) -> Response:
        """One message as it came in."""
        return Response(_found(store, number).raw, mimetype="message/rfc822")

    app.after_request(_guard)
    return app


def _list(store: Mailstore, *, before: int | None, to: str) -> str:
    found = list(islice(store.latest(before=before, recipient=to), PAGE_SIZE + 1))
    older = found[PAGE_SIZE - 1].number if len(found) > PAGE_SIZE else None
    return render_template(
        "list.html", messages=found[:PAGE_SIZE], total=store.last, older=older, first=before is None, to=to
    )


def _message(store: Mailstore, number: int, *, view: str) -> str:
    stored = _found(store, number)
    html, text = reading.html(stored.raw), reading.text(stored.raw)
    if view not in VIEWS:
        view = "html" if html else "text"
    shown = {"headers": reading.headers, "source": reading.source}.get(view, reading.text)(stored.raw)
    return render_template(
        "message.html",
        message=stored,
        fields=reading.fields(stored.raw),
        views=[each for each in VIEWS if {"html": html, "text": text}.get(each, True)],
        view=view,
        shown=shown,
        images="images" in request.args,
        newer=next(store.since(number), None),
        older=next(store.latest(before=number), None),
    )


def _found(store: Mailstore, number: int) -> Stored:
    return store.read(number) or abort(404, f"There is no message {number} in this inbox.")


def _guard(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
