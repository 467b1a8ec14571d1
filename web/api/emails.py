"""Routes of e-mails: send one, send a batch, list them, read the history of one."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from engine import bell, clock
from engine.access.idempotency import Key
from engine.delivery import email_pages, outbox
from engine.delivery.outbox import SendRequest
from errors import Fault, Forbidden, InvalidInput, NotFound, unknown
from models import ids
from models.session import Session, transaction
from web import process
from web.http import auth, bodies, idempotency, prefer_wait
from web.http.auth import needs
from web.http.bodies import at_most
from web.http.routes import Api, Reply
from web.ingest import send_batcher
from web.ingest.send_batcher import StoredEmail
from web.schemas import emails as shapes
from web.schemas.problems.problems import FieldFault

api = Api("emails", "/api/v1/emails", about="Send e-mails and follow their progress.")


@api.post("/send", responses={202: shapes.Accepted, 200: shapes.Accepted})
@needs("send")
def send(header: shapes.WaitingHeaders, body: shapes.Send) -> Reply:
    """Send one e-mail.

    202: the e-mail is stored and will be sent; `sent_at` is when it was accepted. With `Prefer: wait=N` the request
    waits for the mail server and gets 200 with the true `sent_at`, or with status `failed`, `sent_at` null and the
    reason; after N seconds, or if too many requests wait already, it gets the 202. With an `Idempotency-Key` a
    repeated request sends nothing and gets the first response again; while the first waits for the mail server, the
    202.
    """
    request = _request(body)
    key = idempotency.read(header.idempotency_key)
    if key is None:
        accepted = _accepted(send_batcher.current().store(request))
    else:
        done = idempotency.do(key, lambda session: _accept(session, request), status=202)
        if done.model is None:
            return done.response
        accepted = done.model
    bell.ring(request.lane)
    return _waited(accepted, key, prefer_wait.seconds(header.prefer))


@api.post("/batch", responses={202: shapes.BatchAccepted})
@needs("send")
@at_most("batch_limit_bytes")
def batch(header: shapes.Headers, body: shapes.Batch) -> Reply:
    """Send up to 1,000 e-mails in one request.

    Each has its own result: invalid ones are refused with their fields, the others are stored in one transaction.
    422 if none is valid.
    """
    limit = process.current().settings.batch_limit_sends
    if len(body.emails) > limit:
        raise InvalidInput.of("emails", f"at most {limit} in one call")
    requests = _requests(body.emails)
    accepted = [request for request in requests if isinstance(request, SendRequest)]
    if not accepted:
        raise InvalidInput([fault for faults in requests if isinstance(faults, list) for fault in faults])
    key = idempotency.read(header.idempotency_key)
    result = idempotency.do(key, lambda session: _accept_all(session, requests), status=202)
    for lane in sorted({request.lane for request in accepted} if result.model else ()):
        bell.ring(lane)
    return result.response


@api.get("", responses={200: shapes.Emails})
@needs("reports")
def listing(query: shapes.EmailsQuery) -> Reply:
    """List e-mails, newest first, by contact, campaign, status and template.

    `next` of a page is `before` of the next one. E-mails of a campaign that are in flight are listed once they have
    been tried.
    """
    before = None if query.before is None else ids.parse(query.before)
    if query.before is not None and before is None:
        raise InvalidInput.of("before", "give the `next` of the page before")
    template = query.template or ""
    wanted = email_pages.Filter(query.contact_id, query.campaign_id, query.status, template or None)
    page = email_pages.Page((), None)
    if template.isprintable():  # a NUL cannot be compared
        with transaction() as session:
            page = email_pages.page(session, wanted, before=before, limit=query.limit)
    if template and not page.emails and page.before is None:
        known = process.current().library.names()
        if template not in known:
            raise InvalidInput.of("template", unknown(template, known))
    listed = [shapes.Listed(**asdict(email) | {"email_id": ids.public(email.email_id)}) for email in page.emails]
    return shapes.Emails(emails=listed, next=page.before and ids.public(page.before))


@api.get("/<email_id>", responses={200: shapes.Story})
@needs("send", "reports")
def follow(path: shapes.EmailPath) -> Reply:
    """Return the story of one e-mail: its status, its moments and its events."""
    email_id = ids.parse(path.email_id)
    if email_id is None:
        raise NotFound("email_id: there is no such e-mail; use the email_id that the send returned")
    with transaction() as session:
        story = outbox.details(session, email_id)
    return _story(story)


def _request(body: shapes.Send, *, bulk: bool = False) -> SendRequest:
    """Return the send request of one e-mail. Raise InvalidInput for an unknown template or unusable variables.

    A single e-mail uses the transactional lane, so that it never waits behind a campaign; the marketing e-mails of
    a batch use the campaign lane.
    """
    if body.kind == "transactional" and not auth.caller().may("send:transactional"):
        raise Forbidden("scope: kind transactional needs send:transactional, which the token does not have")
    template = process.current().library.get(body.template)
    faults = template.check(body.variables)
    if faults:
        raise InvalidInput(faults)
    return SendRequest(
        to=body.to,
        template=body.template,
        subject=template.subject(body.variables),
        variables=body.variables,
        kind=body.kind,
        lane="campaign" if bulk and body.kind == "marketing" else "transactional",
        template_version=template.version,
    )


def _requests(items: Sequence[Any]) -> list[SendRequest | list[Fault]]:
    """Return for each e-mail of a batch its send request or its faults."""
    return [_request_or_faults(item, f"emails[{index}].") for index, item in enumerate(items)]


def _request_or_faults(item: Any, under: str) -> SendRequest | list[Fault]:
    try:
        return _request(bodies.validated(shapes.Send, item), bulk=True)
    except InvalidInput as error:
        return [Fault(under + fault.field, fault.message) for fault in error.faults]


def _accept(session: Session, request: SendRequest) -> shapes.Accepted:
    now = clock.now()
    [email_id] = outbox.add(session, [request], now=now)
    return _accepted(StoredEmail(email_id, now))


def _accepted(taken: StoredEmail) -> shapes.Accepted:
    return shapes.Accepted(status="success", email_id=ids.public(taken.email_id), sent_at=taken.accepted_at)


def _waited(accepted: shapes.Accepted, key: Key | None, asked_s: int) -> Reply:
    """Return the reply after the requested wait, if this request may wait."""
    if not asked_s:
        return accepted, 202
    with prefer_wait.slot(asked_s) as may_wait:
        if not may_wait:
            return accepted, 202
        decided = prefer_wait.outcome(_id(accepted), within_s=asked_s)
    applied = {"Preference-Applied": f"wait={asked_s}"}
    if decided is None:
        return accepted, 202, applied
    if decided.is_open or decided.status == "in_doubt":
        state = "in_doubt" if decided.status == "in_doubt" else decided.reason
        return accepted.model_copy(update={"reason": state}), 202, applied
    final = shapes.Accepted(
        status="success" if decided.sent_at else "failed",
        email_id=accepted.email_id,
        sent_at=decided.sent_at,
        reason=None if decided.sent_at else decided.reason or decided.status,
    )
    idempotency.replace(key, final, status=200)
    return final, 200, applied


def _id(accepted: shapes.Accepted) -> UUID:
    email_id = ids.parse(accepted.email_id)
    assert email_id is not None, "an id of our own"  # noqa: S101  # narrows the type
    return email_id


def _accept_all(session: Session, requests: Sequence[SendRequest | list[Fault]]) -> shapes.BatchAccepted:
    now = clock.now()
    accepted = iter(outbox.add(session, [request for request in requests if isinstance(request, SendRequest)], now=now))
    results = [
        shapes.Result(index=index, status="success", email_id=ids.public(next(accepted)), sent_at=now)
        if isinstance(request, SendRequest)
        else shapes.Result(
            index=index,
            status="refused",
            errors=[FieldFault(field=fault.field, message=fault.message) for fault in request],
        )
        for index, request in enumerate(requests)
    ]
    refused = sum(result.status == "refused" for result in results)
    return shapes.BatchAccepted(
        status="partial" if refused else "success", accepted=len(results) - refused, refused=refused, results=results
    )


def _story(story: outbox.EmailDetails) -> shapes.Story:
    accepted = {name: getattr(story, name) for name in shapes.Story.model_fields}
    return shapes.Story.model_validate(
        accepted
        | {
            "email_id": ids.public(story.email_id),
            "contact_id": str(story.contact_id),
            "campaign_id": story.campaign_id and str(story.campaign_id),
            "events": [
                shapes.StoryEvent(
                    event_type=event.event_type,
                    timestamp=event.timestamp,
                    source=event.source,
                    event_data=dict(event.event_data),
                )
                for event in story.events
            ],
        }
    )
