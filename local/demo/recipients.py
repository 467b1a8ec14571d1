"""Simulated recipients: they read the e-mails of an inbox, follow their links, and reply."""

import email
import json
import random
import re
import smtplib
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from local.mail.mailstore import Mailstore, Stored

_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"
_LINK = re.compile(r"<a\b[^>]*?href=\"([^\"]+)\"")
_IMAGE = re.compile(r"<img\b[^>]*?src=\"([^\"]+)\"")

# Requests to confirm are read before e-mails that arrived earlier: a sign-up is valid for a week, seven seconds on the
# demo's clock, and a burst of other e-mails takes longer to read.
_AT_ONCE = 20

# The probability of each action per e-mail. Only those who opened it answer.
OPENS, CLICKS, CONVERTS = 0.55, 0.35, 0.25
ANSWERS = {"replied": 0.05, "auto_replied": 0.02, "one_click": 0.025, "button": 0.025}


class Recipients:
    """All people behind an inbox. The actions of each depend only on its address and the seed."""

    def __init__(self, store: Mailstore, *, smtp_port: int, api: str, seed: int = 7) -> None:
        self._store = store
        self._smtp_port = smtp_port
        self._api = api
        self._seed = seed
        self._seen = 0
        self._unread: list[Stored] = []
        self.emails = 0
        self.actions: dict[str, set[str]] = defaultdict(set)  # by Message-ID
        self.counts: Counter[str] = Counter()

    def read(self) -> int:
        """Act on up to 20 e-mails, requests to confirm a sign-up first; return the number of e-mails."""
        self._unread += self._store.since(self._seen)
        if self._unread:
            self._seen = max(self._seen, self._unread[-1].number)
        self._unread.sort(key=lambda stored: (not _is_request(stored), stored.number))
        reading, self._unread = self._unread[:_AT_ONCE], self._unread[_AT_ONCE:]
        for stored in reading:
            self._open(stored)
        self.emails += len(reading)
        return len(reading)

    def _open(self, stored: Stored) -> None:
        message = email.message_from_bytes(stored.raw, policy=policy.default)
        chance = random.Random(f"{self._seed} {stored.recipients[0].casefold()} {message['Subject']}")
        for action in self._act(message, stored, chance):
            self.actions[str(message["Message-ID"])].add(action)
            self.counts[action] += 1

    def _act(self, message: EmailMessage, stored: Stored, chance: random.Random) -> Iterator[str]:
        """Yield the actions of one person on one e-mail, each once it is done."""
        html = _html(message)
        if _is_request(stored):
            _confirm(next(url for url in _LINK.findall(html) if "/c/" in url))
            yield "confirmed"
            return
        if chance.random() > OPENS:
            return
        _get(next(url for url in _IMAGE.findall(html) if "/o/" in url))
        yield "opened"
        if chance.random() < CLICKS:
            _get(next(url for url in _LINK.findall(html) if "/c/" in url))
            yield "clicked"
            if chance.random() < CONVERTS:
                self._convert(message)
                yield "converted"
                return
        answer_kind = chance.choices([*ANSWERS, ""], [*ANSWERS.values(), 1 - sum(ANSWERS.values())])[0]
        if answer_kind in ("replied", "auto_replied"):
            self._answer(message, stored.recipients[0], automatic=answer_kind == "auto_replied")
        elif answer_kind:
            _unsubscribe(message, html, one_click=answer_kind == "one_click")
        if answer_kind:
            yield "unsubscribed" if answer_kind in ("one_click", "button") else answer_kind

    def _convert(self, message: EmailMessage) -> None:
        """Report a conversion, as a landing page does when its form is filled in."""
        email_id = f"email_{str(message['Message-ID'])[1:33]}"
        body = json.dumps({"email_id": email_id, "event_type": "converted"}).encode()
        _post(f"{self._api}/api/v1/events/track", body, "application/json")

    def _answer(self, message: EmailMessage, person: str, *, automatic: bool) -> None:
        answer = EmailMessage()
        answer["From"], answer["To"] = person, message["Reply-To"]
        answer["Subject"] = f"Re: {message['Subject']}"
        answer["In-Reply-To"] = message["Message-ID"]
        if automatic:
            answer["Auto-Submitted"] = "auto-replied"  # RFC 3834, section 5
        answer.set_content("Estoy fuera hasta el lunes.\n" if automatic else "Me interesa, hablamos el martes.\n")
        with smtplib.SMTP("127.0.0.1", self._smtp_port) as server:
            server.send_message(answer)


def _is_request(stored: Stored) -> bool:
    """Return True for a request to confirm a sign-up: it has no List-Unsubscribe."""
    return b"\nlist-unsubscribe:" not in stored.raw.partition(b"\r\n\r\n")[0].lower()


def _unsubscribe(message: EmailMessage, html: str, *, one_click: bool) -> None:
    """Unsubscribe as a mail program does (RFC 8058), or by the link in the e-mail and the button of its page."""
    if one_click:
        _post(str(message["List-Unsubscribe"]).strip("<>"), b"List-Unsubscribe=One-Click", _FORM)
        return
    page = next(url for url in _LINK.findall(html) if urlsplit(unescape(url)).path.startswith("/u/"))
    _get(page)
    _post(unescape(page), b"", _FORM)


def _confirm(url: str) -> None:
    """Follow the link of the e-mail, and press the button of its page."""
    page = _get(url)
    _get(page)
    _post(page, b"by=press", _FORM)


_FORM = "application/x-www-form-urlencoded"


def _html(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    if body is None:
        raise ValueError(f"{message['Message-ID']} has no HTML part")
    return str(body.get_content())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A handler that follows no redirect, because its target is another site."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _get(url: str) -> str:
    """Request this address; return where it redirects to, if it does."""
    return _call(urllib.request.Request(unescape(url), headers={"User-Agent": _BROWSER}))  # noqa: S310  # ours, found in a mail


def _post(url: str, body: bytes, kind: str) -> None:
    headers = {"User-Agent": _BROWSER, "Content-Type": kind}
    _call(urllib.request.Request(url, body, headers))  # noqa: S310  # ours, found in a mail


def _call(request: urllib.request.Request) -> str:
    try:
        _OPENER.open(request, timeout=30).close()
    except urllib.error.HTTPError as answer:
        if answer.code >= 400:
            raise
        return answer.headers["Location"] or ""
    return ""
