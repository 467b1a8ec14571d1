"""Events: what landing pages and forms report about an e-mail."""

from engine import clock
from web.api import reports
from web.http import bodies, rate_limits
from web.http.auth import public
from web.http.bodies import at_most, takes
from web.http.headers import cross_origin
from web.http.routes import Api, Reply, refusals
from web.schemas.events import Report, Told

api = Api("events", "/api/v1/events", about="Report what happened to an e-mail; no token, the e-mail's id is the key.")
api.before_request(rate_limits.track)


@api.post("/track", responses={202: Told, **refusals(404)})
@public("landing pages in browsers call it; the e-mail's id, unguessable, is the proof")
@cross_origin
@at_most("track_list_limit_bytes")
@takes("application/json", "text/plain")
def track(body: Report) -> Reply:
    """Report that an e-mail was opened or clicked, or that its reader converted; or a list of such events.

    The same event twice is stored once. While the database is away what is sound is kept on disk, answered with the
    status `waiting`, and stored as soon as it is back; an event of an e-mail that does not exist is then dropped. JSON
    may come as text/plain, which a browser sends without asking first.
    """
    given, now = body.root, clock.now()
    listed = reports.items(given)
    if listed is None:
        bodies.check_size("track_limit_bytes")
        return reports.one(given, now), 202
    rate_limits.track(len(listed) - 1)
    return reports.many(listed, now), 202
