"""What a web process owns: its settings, the compiled templates, the tracking keys, what waits."""

import threading
from dataclasses import dataclass

from flask import Flask, current_app

from engine.messages import templates
from engine.tracking import tokens
from settings import Settings
from web.intake import Intake
from web.standings import Standings

_NAME = "cadencia"


@dataclass(frozen=True, slots=True)
class Process:
    """Made once by create_app, shared by all threads."""

    settings: Settings
    library: templates.Library
    signer: tokens.Signer
    standings: Standings
    intake: Intake
    waiting: threading.BoundedSemaphore


def install(app: Flask, settings: Settings) -> None:
    """Give `app` what its views ask `current` for."""
    app.extensions[_NAME] = Process(
        settings=settings,
        library=templates.Library(settings.templates_dir),
        signer=tokens.Signer(settings.tracking_ring),
        standings=Standings(),
        intake=Intake(),
        # At most a third of the threads may wait for a mail server; the others go on answering.
        waiting=threading.BoundedSemaphore(max(1, settings.web_threads // 3)),
    )


def current() -> Process:
    """What the process that answers this request owns."""
    found: Process = current_app.extensions[_NAME]
    return found
