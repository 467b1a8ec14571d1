"""Idempotency-Key: replay the stored response of a repeated request (rule R26)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from flask import Response, request
from pydantic import BaseModel

from engine.access import idempotency
from engine.access.idempotency import Answer, Key
from models.session import Session, retrying, transaction
from web import process
from web.http import auth, bodies, routes

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Done(Generic[Model]):
    """Result of an idempotent call; `model` is None if `response` is a replay of a stored one."""

    model: Model | None
    response: Response


def read(text: str) -> Key | None:
    """Return the key of this request from its header's text; None without one. Raise InvalidInput if malformed.

    The server passes on a header outside ASCII as an empty one, so an empty key is refused, not ignored.
    """
    if "Idempotency-Key" not in request.headers:
        return None
    return idempotency.key(auth.caller().account_id, text, route=request.path, body=bodies.json_value())


def of_form(text: str, body: object) -> Key:
    """Return the key that a form of a page repeats in `text`; `body` is the request of the form."""
    return idempotency.key(auth.caller().account_id, text, route=request.full_path, body=body)


def do(key: Key | None, work: Callable[[Session], Model], *, status: int) -> Done[Model]:
    """Run `work` in a transaction and return its result as a response; with a key, replay a stored response.

    The response is stored in the transaction of the work. Raises InProgress while the first request with this key
    runs, and InvalidInput if the key was used with another body. An exception of `work` is not stored, so a
    corrected request may use the same key.
    """
    return retrying(lambda session: _replayed(session, key) or _done(session, key, work(session), status))


def replace(key: Key | None, model: BaseModel, *, status: int) -> None:
    """Replace the stored response, for a request that waited for a later state after its work was committed."""
    if key is not None:
        with transaction() as session:
            idempotency.remember(session, key, Answer(status, routes.to_json(model)))


def _replayed(session: Session, key: Key | None) -> Done[Model] | None:
    if key is None:
        return None
    keep = timedelta(hours=process.current().settings.idempotency_hours)
    stored = idempotency.recall(session, key, keep=keep)
    if stored is None:
        return None
    replay = Response(stored.body, stored.status, {"Idempotency-Replayed": "true"}, content_type="application/json")
    return Done(None, replay)


def _done(session: Session, key: Key | None, model: Model, status: int) -> Done[Model]:
    if key is not None:
        idempotency.remember(session, key, Answer(status, routes.to_json(model)))
    return Done(model, routes.answer((model, status)))
