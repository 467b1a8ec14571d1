"""State of one web process: settings, compiled templates, tracking keys and caches. `web.ingest` holds its queues."""

import gc
import resource
import threading
from dataclasses import dataclass

from flask import Flask, current_app

from engine.templates import brand, templates
from engine.templates.brand import Brand
from engine.templates.versions.reading import StoredTemplates
from engine.tracking import tokens
from engine.tracking.bots.observer import Observer
from models.session import statement
from settings import Settings
from web.http.token_cache import TokenCache
from web.recent import Recent

_NAME = "cadencia"
_COLLECT_AFTER = 10_000  # new objects
_FINDINGS_KEPT_S = 600.0
FILES = 16_384  # granian's backpressure (connections), and as many again


@dataclass(frozen=True, slots=True)
class Process:
    """State that `create_app` makes once and all threads of the process share."""

    settings: Settings
    library: templates.Library
    brand: Brand
    signer: tokens.Signer
    observer: Observer
    token_cache: TokenCache
    recent: Recent
    findings: Recent  # of sources of templates, by their digest
    wait_slots: threading.BoundedSemaphore
    own_pages: str  # the address at which our landing pages begin


def install(app: Flask, settings: Settings) -> None:
    """Make the process state and attach it to `app`."""
    _allow_connections()
    app.extensions[_NAME] = Process(
        settings=settings,
        library=templates.Library.configured(settings, StoredTemplates(statement)),
        brand=brand.of(settings),
        signer=tokens.Signer(settings.tracking_ring),
        observer=Observer(settings.index_key.get_secret_value().encode(), settings.event_addresses),
        token_cache=TokenCache(),
        recent=Recent(),
        findings=Recent(_FINDINGS_KEPT_S),
        # At most a third of the threads may wait for a mail server, so that the others stay free for requests.
        wait_slots=threading.BoundedSemaphore(max(1, settings.web_threads // 3)),
        own_pages=f"{settings.public_url.rstrip('/')}/p/",
    )


def tune_garbage_collector() -> None:
    """Exclude the objects that exist now from garbage collection, and collect less often.

    A page makes some thousand objects, so that the usual threshold costs it five collections and a tenth of its time,
    and now and then one of all objects, which stops all threads for 0.1 s and more (measured). Later calls do nothing.
    """
    if gc.get_threshold()[0] == _COLLECT_AFTER:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)


def _allow_connections() -> None:
    """Raise the limit of open files, which the usual 1,024 connections would reach."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def of(app: Flask) -> Process:
    """Return the process state attached to `app`."""
    state: Process = app.extensions[_NAME]
    return state


def current() -> Process:
    """Return the process state of the application that handles this request."""
    return of(current_app)
