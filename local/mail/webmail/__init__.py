"""The page of the inbox: a list of messages, and each message as HTML, text, headers or source."""

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
# A message is untrusted: no scripts, no forms, an origin of its own. Links open in a new tab.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src {images}; frame-ancestors 'self'"
)


def create_app(store: Mailstore) -> Flask:
    """Return the read-only page of this store. For the local machine only: it has no login."""
    app = Flask(__name__)
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]  # against DNS rebinding
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["subject"] = reading.subject

    @app.get("/")
    def messages() -> str:
        """Return the list, newest first."""
        return _list(store, before=request.args.get("before", type=int), to=request.args.get("to", "").strip())

    @app.get("/messages/<int:number>")
    def message(number: int) -> str:
        """Return one message."""
        return _message(store, number, view=request.args.get("view", ""))

    @app.get("/messages/<int:number>/body")
    def body(number: int) -> Response:
        """Return the HTML of one message, for the frame. Remote images load only on request: they count as an open."""
        html = reading.html(_stored(store, number).raw) or abort(404)
        response = Response(reading.in_frame(html), mimetype="text/html")
        images = "data: http: https:" if "images" in request.args else "data:"
        response.headers["Content-Security-Policy"] = _MAIL_POLICY.format(images=images)
        return response

    @app.get("/messages/<int:number>.eml")
    def download(number: int) -> Response:
        """Return one message as it was received."""
        return Response(_stored(store, number).raw, mimetype="message/rfc822")

    app.after_request(_guard)
    return app


def _list(store: Mailstore, *, before: int | None, to: str) -> str:
    stored = list(islice(store.latest(before=before, recipient=to), PAGE_SIZE + 1))
    older = stored[PAGE_SIZE - 1].number if len(stored) > PAGE_SIZE else None
    return render_template(
        "list.html", messages=stored[:PAGE_SIZE], total=store.last, older=older, first=before is None, to=to
    )


def _message(store: Mailstore, number: int, *, view: str) -> str:
    stored = _stored(store, number)
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


def _stored(store: Mailstore, number: int) -> Stored:
    return store.read(number) or abort(404, f"There is no message {number} in this inbox.")


def _guard(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
