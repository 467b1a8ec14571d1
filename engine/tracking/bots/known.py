"""What is known of networks and agents: `known.toml`, read once."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("known.toml")

KINDS = {
    "reader": "a mail program or browser of a person",
    "image-proxy": "fetches a picture when a person opens the mail, in the person's stead",
    "preloader": "fetches pictures whether or not anybody opens the mail",
    "relay": "carries the requests of people, and hides where they are",
    "private": "no network of the internet",
    "hosting": "rents out computers: scanners run there, and the exits of VPNs",
    "scanner": "looks for harm in mails before people get them",
    "preview": "makes the preview of a link in a chat or a network",
    "crawler": "reads the web for a search engine or an index",
    "monitor": "looks whether pages answer",
    "library": "asks for pages from programs",
    "app-library": "asks for pages from programs, some of which people hold in their hands",
    "headless": "a browser that nobody looks at",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One class of networks (`matches` are ranges) or agents (parts of the agent), and where that is known from.

    `seen` is the day on which it was looked up there; without one it is general knowledge, and weighs less.
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
    """Every class of networks, in the order of the file."""
    return tuple(_entry(told, "ranges") for told in _read()["network"])


@lru_cache(maxsize=1)
def agents() -> tuple[Entry, ...]:
    """Every class of agents, in the order of the file: the first that matches counts."""
    return tuple(_entry(told, "parts") for told in _read()["agent"])


def _entry(told: dict[str, object], matches: str) -> Entry:
    given = {**told, "matches": tuple(told[matches])}  # type: ignore[arg-type]
    del given[matches]
    return Entry(**given)  # type: ignore[arg-type]
