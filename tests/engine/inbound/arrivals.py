"""Messages that arrive, and a stand-in for the transaction that records them."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from errors import Unavailable
from tests.mails import Mail

T = TypeVar("T")


def reply_to(sent: Mail, number: int = 1) -> bytes:
    """Return an answer of a person; those of different numbers are different messages."""
    lines = [
        "From: Ana <ana@empresa.example>",
        "To: hola@cadencia.example",
        f"Message-ID: <{number}@empresa.example>",
        f"In-Reply-To: <{sent.id.hex}@cadencia.example>",
        "Subject: Re: ROI",
        "",
        "Me interesa.",
        ".un punto",
        "",
    ]
    return "\r\n".join(lines).encode()


def unavailable(work: Callable[[Session], T], /) -> T:
    """Stand for a database that cannot be reached."""
    raise Unavailable("database: not reachable")


def broken(work: Callable[[Session], T], /) -> T:
    """Stand for a message on which our own code fails."""
    raise ValueError("never recordable")
