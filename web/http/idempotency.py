"""Idempotency-Key: the work of a creating call is done once, however often the call is repeated (rule R26)."""

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

Told = TypeVar("Told", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Done(Generic[Told]):
    """What the caller is told; `told` is None when this is a replay of an earlier answer."""

    told: Told | None
    response: Response


def key(text: str) -> Key | None:
    """The key of this request, from the text of its header; None without one. InvalidInput if it cannot be a key."""
    if not text:
        return None
    return idempotency.key(auth.caller().account_id, text, route=request.path, body=bodies.given())


def do(wanted: Key | None, work: Callable[[Session], Told], *, status: int) -> Done[Told]:
    """Do `work` in a transaction and answer with what it returns; with a key, answer a repetition the same.

    The answer is kept in the transaction of the work. InProgress while the first call is in it; InvalidInput when
    the key came with another body. What `work` raises is not kept: a mended call may use the same key.
    """
    return retrying(lambda session: _recalled(session, wanted) or _done(session, wanted, work(session), status))


def replace(wanted: Key | None, told: BaseModel, *, status: int) -> None:
    """Keep another answer than the work's own, for a call that went on to wait for more to tell."""
    if wanted is not None:
        with transaction() as session:
            idempotency.remember(session, wanted, Answer(status, routes.written(told)))


def _recalled(session: Session, wanted: Key | None) -> Done[Told] | None:
    if wanted is None:
        return None
    keep = timedelta(hours=process.current().settings.idempotency_hours)
    known = idempotency.recall(session, wanted, keep=keep)
    if known is None:
        return None
    again = Response(known.body, known.status, {"Idempotency-Replayed": "true"}, content_type="application/json")
    return Done(None, again)


def _done(session: Session, wanted: Key | None, told: Told, status: int) -> Done[Told]:
    if wanted is not None:
        idempotency.remember(session, wanted, Answer(status, routes.written(told)))
    return Done(told, routes.answer((told, status)))
