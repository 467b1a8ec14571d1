"""What a web process owns: its settings, the compiled templates, the tracking keys, what waits."""

import threading
from dataclasses import dataclass

from flask import Flask, current_app

from engine.templates import templates
from engine.tracking import bots, tokens
from settings import Settings
from web.http.token_cache import Standings
from web.ingest.arrivals import Arrivals
from web.ingest.send_batcher import Intake

_NAME = "cadencia"


@dataclass(frozen=True, slots=True)
class Process:
    """Made once by create_app, shared by all threads."""

    settings: Settings
    library: templates.Library
    signer: tokens.Signer
    observer: bots.Observer
    standings: Standings
    intake: Intake
    arrivals: Arrivals
    waiting: threading.BoundedSemaphore


def install(app: Flask, settings: Settings) -> None:
    """Give `app` what its views ask `current` for."""
    app.extensions[_NAME] = Process(
        settings=settings,
        library=templates.Library(settings.templates_dir, settings.hidden_link),
        signer=tokens.Signer(settings.tracking_ring),
        observer=bots.Observer(settings.index_key.get_secret_value().encode(), settings.event_addresses),
        standings=Standings(),
        intake=Intake(),
        arrivals=Arrivals(settings),
        # At most a third of the threads may wait for a mail server; the others go on answering.
        waiting=threading.BoundedSemaphore(max(1, settings.web_threads // 3)),
    )


def of(app: Flask) -> Process:
    """What the process owns that serves `app`."""
    found: Process = app.extensions[_NAME]
    return found


def current() -> Process:
    """What the process that answers this request owns."""
    return of(current_app)
