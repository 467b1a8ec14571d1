"""The Celery application: `celery -A worker worker …`, `celery -A worker beat`, `celery -A worker flower`."""

import logging
import sys
from typing import Any

from celery import Celery, signals

import settings
from engine import logs
from engine.delivery.relays import config
from errors import InvalidInput
from models import session
from worker import process

app = Celery(
    "cadencia", include=[f"worker.tasks.{module}" for module in ("sending", "followups", "events", "imports", "ticks")]
)
app.config_from_object("celery_config")

# A line for each task received and done would hide the lines about e-mails. Flower shows the tasks.
_VERBOSE = ("celery.worker.strategy", "celery.app.trace", "celery.beat")


@signals.setup_logging.connect(weak=False)
def set_up_logging(**_: Any) -> None:
    """Log as the rest of Cadencia does, instead of Celery's own format."""
    logs.set_up(settings.current())
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)


@signals.celeryd_init.connect(weak=False)
def check_relays(**_: Any) -> None:
    """Exit with status 2 if relays or limits are configured wrongly, with one line for each fault.

    So a worker ends at its start, instead of at its first e-mail.
    """
    try:
        config.check()
    except InvalidInput as error:
        lines = "\n".join(f"{fault.field.upper()}: {fault.message}" for fault in error.faults)
        print(f"Cadencia cannot start:\n{lines}", file=sys.stderr)
        raise SystemExit(2) from None


@signals.worker_process_init.connect(weak=False)
def drop_connections(**_: Any) -> None:
    """Drop the parent's connections in a forked child (R21)."""
    session.after_fork()


@signals.worker_shutting_down.connect(weak=False)
def ask_children_to_stop(**_: Any) -> None:
    """Ask children to finish their group and claim no other, at a warm shutdown (R18)."""
    process.stop.set()


@signals.worker_process_shutdown.connect(weak=False)
def close_sender(**_: Any) -> None:
    """Remove the recorder of a child that ends in order."""
    process.close()
