"""The click redirect, /c/<token>: only to the target that the signed token contains (rule R35).

`front` answers nearly all requests before they reach this view.
"""

from flask import Response, request

from web import process
from web.http.auth import public
from web.ingest import group_commit
from web.public import hits
from web.public.pages import blueprint

pages = blueprint("clicks")


@pages.get("/c/<token>")
@public("the signed token names the e-mail and the target")
def clicked(token: str) -> Response:
    """Store the click and redirect to the target; works without the database."""
    hit, target = hits.clicked(process.current(), token, request.environ)
    group_commit.current().store(hit)
    return Response(status=302, headers={"Location": target, **hits.HEADERS})
