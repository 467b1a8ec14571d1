"""Validation of e-mails to send, against templates and scopes."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from engine.delivery.outbox import SendRequest
from errors import Fault, Forbidden, InvalidInput
from web import process
from web.http import auth, bodies
from web.schemas.emails import Send


def request(wanted: Send, *, bulk: bool = False) -> SendRequest:
    """Return the send request of one e-mail. Raise InvalidInput for an unknown template or unusable variables.

    A single e-mail uses the transactional lane, so that it never waits behind a campaign; the marketing e-mails of
    a batch use the campaign lane.
    """
    if wanted.kind == "transactional" and not auth.caller().may("send:transactional"):
        raise Forbidden("scope: kind transactional needs send:transactional, which the token does not have")
    template = process.current().library.get(wanted.template)
    faults = template.check(wanted.variables)
    if faults:
        raise InvalidInput(faults)
    return SendRequest(
        to=wanted.to,
        template=wanted.template,
        subject=template.subject_source,
        variables=wanted.variables,
        kind=wanted.kind,
        lane="campaign" if bulk and wanted.kind == "marketing" else "transactional",
    )


def requests(wanted: Sequence[Any]) -> list[SendRequest | list[Fault]]:
    """Return for each e-mail of a batch its send request or its faults."""
    return [_one(item, f"emails[{index}].") for index, item in enumerate(wanted)]


def _one(item: Any, under: str) -> SendRequest | list[Fault]:
    try:
        return request(Send.model_validate(item), bulk=True)
    except ValidationError as error:
        return bodies.faults(error, under=under)
    except InvalidInput as error:
        return [Fault(under + fault.field, fault.message) for fault in error.faults]
