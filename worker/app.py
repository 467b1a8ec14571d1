"""The Celery application: `celery -A worker worker …`, `celery -A worker beat`, `celery -A worker flower`."""

import logging
from typing import Any

from celery import Celery, signals

import settings
from engine import logs
from models import session
from worker import process, sender_setup

app = Celery("cadencia", include=[f"worker.tasks.{room}" for room in ("sending", "followups", "events", "upkeep")])
app.config_from_object("celery_config")

# One line per task received and done would drown the lines about mails; Flower shows tasks.
_TALKATIVE = ("celery.worker.strategy", "celery.app.trace", "celery.beat")


@signals.setup_logging.connect(weak=False)
def set_up_logging(**_: Any) -> None:
    """Log as all of Cadencia does, instead of Celery's own way."""
    configured = settings.current()
    logs.install(configured.log_file, configured.log_level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


@signals.celeryd_init.connect(weak=False)
def check_the_relays(**_: Any) -> None:
    """A worker ends at once, not at its first mail, when it could send none."""
    sender_setup.check()


@signals.worker_process_init.connect(weak=False)
def forget_the_parent(**_: Any) -> None:
    """A forked child uses none of its parent's connections (R21)."""
    session.after_fork()


@signals.worker_shutting_down.connect(weak=False)
def ask_children_to_stop(**_: Any) -> None:
    """At a warm shutdown: finish the group in hand, take no other (R18)."""
    process.ask_to_stop()


@signals.worker_process_shutdown.connect(weak=False)
def close_sender(**_: Any) -> None:
    """A child that ends in order leaves no recorder behind."""
    process.close()
