"""Events: what landing pages and forms report about an e-mail."""

from engine import bell, clock
from engine.tracking import events
from errors import NotFound
from models import ids
from models.session import transaction
from web import limits
from web.auth import public
from web.bodies import at_most
from web.headers import cross_origin
from web.routes import Api, Reply
from web.schemas.events import Track, Tracked

api = Api("events", "/api/v1/events", about="Report what happened to an e-mail; no token, the e-mail's id is the key.")
api.before_request(limits.track)


@api.post("/track", responses={202: Tracked})
@public("landing pages in browsers call it; the e-mail's id, unguessable, is the proof")
@cross_origin
@at_most("track_limit_bytes")
def track(body: Track) -> Reply:
    """Report that an e-mail was opened or clicked, or that its reader converted.

    The same event twice is stored once.
    """
    email_id = ids.parse(body.email_id)
    if email_id is None:
        raise NotFound("email_id: there is no such e-mail; take the one that the send answered")
    now = clock.now()
    arrival = events.Arrival(email_id, body.event_type, body.timestamp)
    with transaction() as session:
        events.record(session, [arrival], now=now)
    bell.ring("events")
    return Tracked(event_id=f"event_{events.dedupe_key(arrival, now).hex()}"), 202
