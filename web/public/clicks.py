"""The click redirect: /c/<token>, to the target that is signed inside the token and nowhere else (rule R35)."""

from flask import Response, request

from engine.tracking import events
from web import process
from web.auth import public
from web.public import arrivals
from web.public.pages import blueprint

pages = blueprint("clicks")


@pages.get("/c/<token>")
@public("the signed token names the e-mail and the target")
def clicked(token: str) -> Response:
    """On to the target, with the database up or down. HEAD is asked by machines, and noted as theirs."""
    click = process.current().signer.read_clicked(token)
    source = "machine" if request.method == "HEAD" else "unknown"
    arrivals.keep(events.Arrival(click.email_id, "clicked", data={"link": click.link}, source=source))
    return Response(status=302, headers={"Location": click.target, "Cache-Control": "no-store, private"})
