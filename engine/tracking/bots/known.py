"""Known networks and user agents: `known.toml`, read once."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("known.toml")

KINDS = {
    "reader": "a person's mail program or browser",
    "image-proxy": "fetches a picture on behalf of a person who opens the e-mail",
    "preloader": "fetches pictures even if nobody opens the e-mail",
    "relay": "forwards people's requests and hides their addresses",
    "private": "a private network",
    "hosting": "rented servers, which scanners and VPN exits use",
    "scanner": "checks e-mails for threats before delivery",
    "preview": "makes link previews for chats and social networks",
    "crawler": "reads the web for a search engine or an index",
    "monitor": "checks that pages are reachable",
    "library": "an HTTP library of programs",
    "app-library": "an HTTP library of programs that includes apps used by people",
    "headless": "a browser without a screen",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A class of networks (`matches` are ranges) or user agents (`matches` are substrings), with the source.

    `seen` is the day on which the source was looked up; an entry without one is general knowledge and weighs less.
    """

    name: str
    kind: str
    matches: tuple[str, ...]
    source: str
    seen: date | None = None
    confidence: str = "looked up"
    note: str = ""


def _read() -> dict[str, list[dict[str, object]]]:
    return tomllib.loads(_FILE.read_text("utf-8"))


@lru_cache(maxsize=1)
def networks() -> tuple[Entry, ...]:
    """Return every class of networks, in the order of the file."""
    return tuple(_entry(table, "ranges") for table in _read()["network"])


@lru_cache(maxsize=1)
def agents() -> tuple[Entry, ...]:
    """Return every class of user agents, in the order of the file: the first match counts."""
    return tuple(_entry(table, "parts") for table in _read()["agent"])


def _entry(table: dict[str, object], matches: str) -> Entry:
    fields = {**table, "matches": tuple(table[matches])}  # type: ignore[arg-type]
    del fields[matches]
    return Entry(**fields)  # type: ignore[arg-type]
