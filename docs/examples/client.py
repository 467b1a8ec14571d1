"""A client of Cadencia's API in one file, with the standard library alone: copy it and adapt it.

    cadencia = Client("http://127.0.0.1:8000", "web-shop", "a long password")
    sent = cadencia.send("ana@empresa.example", "email_1_roi", {"nombre": "Ana"}, key="order-1234")
    print(cadencia.follow(sent["email_id"])["status"])

Every call may be repeated without harm, so the client repeats it after a lost connection, 429, 503, and 409 for a
request that still runs. It waits as long as `Retry-After` says, or else with a growing back-off.
"""

import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

Json = dict[str, Any]
Kind = Literal["marketing", "transactional"]
Event = Literal["opened", "clicked", "converted"]

TRANSIENT = (409, 429, 503)  # 409 only with Retry-After: the first request with this key still runs
OPEN = ("queued", "claimed", "sending")


class Problem(Exception):  # named as in RFC 9457
    """An error response; `errors` name the fields at fault."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body.get('detail', 'no detail')}")
        self.status = status
        self.errors: list[dict[str, str]] = body.get("errors", [])


class Client:
    """Calls the API as one account; logs in at the first call, and again when its token has expired."""

    def __init__(self, url: str, account: str, password: str, *, attempts: int = 5, timeout_s: float = 40.0) -> None:
        self._url = url.rstrip("/")
        self._login = {"account": account, "password": password}
        self._attempts = attempts
        self._timeout_s = timeout_s
        self._token = ""

    def send(self, to: str, template: str, variables: Json, *, key: str = "", wait_s: int = 0) -> Json:
        """Send one e-mail and return `email_id`, `status` and `sent_at`; wait up to `wait_s` for the mail server.

        `key` names what the e-mail is for, such as an order. For 48 hours, a call with the same key and the same
        content sends nothing more, even if this process has been restarted in between.
        """
        body = {"to": to, "template": template, "variables": variables}
        prefer = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        return self._post("/api/v1/emails/send", body, {"Idempotency-Key": key or uuid4().hex, **prefer})

    def batch(self, emails: Sequence[Json], *, key: str = "") -> list[Json]:
        """Send up to 1,000 e-mails; return the result of each, `refused` ones with their `errors`."""
        answer = self._post("/api/v1/emails/batch", {"emails": emails}, {"Idempotency-Key": key or uuid4().hex})
        results: list[Json] = answer["results"]
        return results

    def follow(self, email_id: str) -> Json:
        """Return the whole story of an e-mail: its status, its moments, the mail server's reply, its events."""
        return self._get(f"/api/v1/emails/{email_id}")

    def wait(self, email_id: str, *, within_s: float = 60.0) -> Json:
        """Return the story of an e-mail once a mail server has accepted or refused it, or when the time is up."""
        end = time.monotonic() + within_s
        while True:
            story = self.follow(email_id)
            if story["status"] not in OPEN or time.monotonic() > end:
                return story
            time.sleep(0.5)

    def emails(self, **conditions: str) -> Iterator[Json]:
        """Yield e-mails, newest first, by `contact_id`, `campaign_id`, `status` and `template`, page by page."""
        following: str | None = ""
        while following is not None:
            query = urllib.parse.urlencode(conditions | ({"before": following} if following else {}))
            page = self._get(f"/api/v1/emails?{query}")
            yield from page["emails"]
            following = page["next"]

    def templates(self) -> list[Json]:
        """Return the templates with their languages, subjects and variables."""
        templates: list[Json] = self._get("/api/v1/templates")["templates"]
        return templates

    def track(self, email_id: str, event: Event, at: datetime | None = None) -> Json:
        """Report an event of an e-mail; the same event reported twice is stored once."""
        timestamp = (at or datetime.now(UTC)).isoformat()
        return self._post("/api/v1/events/track", {"email_id": email_id, "event_type": event, "timestamp": timestamp})

    def _get(self, path: str) -> Json:
        return self._authorized("GET", path, None, {})

    def _post(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        return self._authorized("POST", path, body, headers or {})

    def _authorized(self, method: str, path: str, body: Json | None, headers: Mapping[str, str]) -> Json:
        """Call with the token; log in first if there is none, and once more if it is refused."""
        for is_last in (False, True):
            if not self._token:
                self._token = self._repeated("POST", "/api/v1/auth/token", self._login, {})["access_token"]
            try:
                return self._repeated(method, path, body, {**headers, "Authorization": f"Bearer {self._token}"})
            except Problem as problem:
                if problem.status != 401 or is_last:
                    raise
                self._token = ""
        raise AssertionError("the second round returns or raises")

    def _repeated(self, method: str, path: str, body: Json | None, headers: Mapping[str, str]) -> Json:
        """Call until the response is final, at most `attempts` times."""
        for attempt in range(1, self._attempts + 1):
            wait_s = 0.5 * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311  # spreads callers, no secret
            try:
                return self._called(method, path, body, headers)
            except urllib.error.HTTPError as error:
                after = error.headers["Retry-After"]
                is_final = error.code not in TRANSIENT or (error.code == 409 and after is None)
                if is_final or attempt == self._attempts:
                    raise Problem(error.code, _json(error.read())) from None
                wait_s = float(after) if after else wait_s
            except OSError:  # refused, reset, timed out: the request may have been carried out, and is safe to repeat
                if attempt == self._attempts:
                    raise
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _called(self, method: str, path: str, body: Json | None, headers: Mapping[str, str]) -> Json:
        data = None if body is None else json.dumps(body).encode()
        content = {} if data is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data, {**headers, **content}, method=method)  # noqa: S310  # the URL is the caller's own
        with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310  # as above
            return _json(answer.read())


def _json(content: bytes) -> Json:
    """Return the JSON object of a response; of a proxy's page, a problem with its beginning."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"detail": content[:200].decode("utf-8", "replace")}


def main() -> None:
    """Send one e-mail and a batch, follow them, and report a conversion."""
    cadencia = Client(os.environ["CADENCIA_URL"], os.environ["CADENCIA_ACCOUNT"], os.environ["CADENCIA_PASSWORD"])
    variables = {"nombre": "Ana", "industria": "Banca", "link_calendly": "https://calendly.example/ana"}
    sent = cadencia.send("ana@empresa.example", "email_1_roi", variables, key="order-1234", wait_s=10)
    print("sent", sent["email_id"], sent["status"], sent["sent_at"])
    batch = [
        {"to": "luis@empresa.example", "template": "email_2_caso", "variables": {**variables, "nombre": "Luis"}},
        {"to": "not an address", "template": "email_2_caso", "variables": variables},
    ]
    for result in cadencia.batch(batch, key="order-1234-others"):
        print("batch", result["index"], result["status"], result["email_id"] or result["errors"])
    story = cadencia.wait(sent["email_id"])
    print("story", story["status"], story["subject"])
    print("track", cadencia.track(sent["email_id"], "converted")["status"])


if __name__ == "__main__":
    main()
