"""Ticks: the periodic tasks as beat starts them. Ticks that piled up in the queue return at once.

They send no events: two a second would hide every other task on Flower's pages. `cadencia status` shows their runs.
"""

from collections.abc import Callable

from engine import heartbeats
from models.session import statement
from worker.app import app
from worker.tasks import figures, followups, upkeep

# A tick does nothing if the same one began so recently. Short, so that every tick of the schedule does its work.
_PAUSE_S = 0.1
_PAUSE_OF_TIDY_S = 60.0


@app.task(name="followups.tick", send_events=False)
def call_due() -> None:
    """Postpone, ring and finish as `followups.call_due` does. Twice at once: the second returns at once."""
    _run("call_due", followups.call_due, _PAUSE_S)


@app.task(name="upkeep.sweep", send_events=False)
def sweep() -> None:
    """Recover, drain and ring as `upkeep.sweep` does. Twice at once: the second returns at once."""
    _run("sweep", upkeep.sweep, _PAUSE_S)


@app.task(name="upkeep.tidy", send_events=False)
def tidy() -> None:
    """Delete expired rows as `upkeep.tidy` does. Twice at once: the second returns at once."""
    _run("tidy", upkeep.tidy, _PAUSE_OF_TIDY_S)


@app.task(name="figures.refresh", send_events=False)
def refresh_figures() -> None:
    """Count figures as `figures.refresh` does. Twice at once: the second returns at once."""
    _run("figures", figures.refresh, _PAUSE_S)


def _run(name: str, work: Callable[[], None], pause_s: float) -> None:
    with statement() as session:
        begins = heartbeats.begin(session, name, pause_s=pause_s)
    if begins:
        work()
