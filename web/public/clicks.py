"""The click redirect: /c/<token>, to the target that is signed inside the token and nowhere else (rule R35).

Nearly always answered before it comes here, by `front`.
"""

from flask import Response, request

from web import process
from web.http.auth import public
from web.public import hits
from web.public.pages import blueprint

HEADERS = {"Cache-Control": "no-store, private"}

pages = blueprint("clicks")


@pages.get("/c/<token>")
@public("the signed token names the e-mail and the target")
def clicked(token: str) -> Response:
    """On to the target, with the database up or down."""
    owned = process.current()
    hit, target = hits.clicked(owned, token, request.environ)
    owned.ingest.store(hit)
    return Response(status=302, headers={"Location": target, **HEADERS})
