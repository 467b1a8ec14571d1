"""Store uploaded files of contacts."""

import logging
import traceback
from functools import partial
from pathlib import Path
from time import monotonic

from engine import bell, clock
from engine.audience import imports
from engine.engagement.uploads import content, running
from engine.engagement.uploads.running import Claimed
from errors import InvalidInput, Unavailable
from models.session import retrying
from worker import process
from worker.app import app

log = logging.getLogger("cadencia.imports")

LONGEST_S = 600.0  # less than the time limit of a task
_TURN_S = 30.0  # while another import waits; an import that continues later reads its file again from the beginning
_RENEW_EVERY_S = 5.0


@app.task(name="imports.store")
def store() -> None:
    """Store one uploaded file, page by page, each in a transaction of its own; ring again if more waits.

    Twice at once: the second returns at once. If it is killed, its page is rolled back, and another worker continues
    after the last committed page when the lease ends.
    """
    claimed = retrying(running.claim)
    if claimed is None:
        return
    try:
        if claimed.attempts > running.ATTEMPTS_MAX:
            _fail(claimed, "the workers could not read it; see their log")
        else:
            _store(claimed)
    except InvalidInput as invalid:
        _fail(claimed, "; ".join(fault.message for fault in invalid.faults))
    except Unavailable:
        raise  # the lease ends, and the sweep rings
    except Exception as error:  # noqa: BLE001  # one bad file must not stop the others
        # Without the message and its traceback: those of the database contain the values of a page.
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        log.error("import_interrupted import=%s attempt=%s error=%s", claimed.id, claimed.attempts, what)
        retrying(partial(running.release, claimed=claimed))
    if retrying(running.is_waiting):
        bell.ring("imports")


def _store(claimed: Claimed) -> None:
    """Store the pages that are missing."""
    source = content.Reader(lambda number: retrying(partial(content.fetch, import_id=claimed.id, number=number)))
    began = renewed = monotonic()
    pages = imports.pages(source, mapping=claimed.mapping, encoding=claimed.encoding)
    for number, page in enumerate(pages):
        if number >= claimed.pages:
            position = partial(running.store, claimed=claimed, page=page, read_bytes=source.position, now=clock.now())
            moved = retrying(position)
            if moved is None:
                return
            claimed = moved
            if _must_stop(claimed, began):
                retrying(partial(running.release, claimed=claimed))
                return
        elif monotonic() > renewed + _RENEW_EVERY_S:
            renewed = monotonic()
            if not retrying(partial(running.renew, claimed=claimed)):
                return
    if retrying(partial(running.end, claimed=claimed, now=clock.now())):
        log.info("import_done import=%s rows=%s", claimed.id, claimed.counts.get("rows"))


def _must_stop(claimed: Claimed, began: float) -> bool:
    """Return True at a warm shutdown, near the time limit, and after a turn if another import waits."""
    lasted = monotonic() - began
    if process.stop.is_set() or lasted > LONGEST_S:
        return True
    return lasted > _TURN_S and retrying(partial(running.others_wait, claimed=claimed))


def _fail(claimed: Claimed, error: str) -> None:
    if retrying(partial(running.end, claimed=claimed, now=clock.now(), error=error)):
        log.warning("import_failed import=%s", claimed.id)
