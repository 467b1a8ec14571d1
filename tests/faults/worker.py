"""The real Celery worker, whose children die at named points of a send.

python -m tests.faults.worker --plan FILE -- -Q campaign -c 2

Each line of the plan is a number and a point. Every forked child takes a line, and dies by SIGKILL when it reaches
the point that many times. FILE.children counts the children; FILE.kills lists the points of the dead ones.
The product has no code for this: the table below wraps the calls at those points.
"""

import argparse
import functools
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from celery import signals

from engine.delivery.recorder import Recorder

_CLAIM = ("engine.campaigns.agenda:Agenda.claim",)
_SETTLE = ("engine.delivery.settle:settle",)
_RECORDER = "engine.delivery.recorder:Recorder"

# The points of a send, in order: the wrapped calls, and the side of the call on which the child dies.
POINTS = {
    "claimed, not committed": (_CLAIM, "after"),
    "started": ((f"{_RECORDER}.begin",), "before"),
    "begun": ((f"{_RECORDER}.begin",), "after"),
    "before the dot is marked": ((f"{_RECORDER}.complete",), "before"),
    "before the dot": ((f"{_RECORDER}.complete",), "after"),
    "reply read": ((f"{_RECORDER}.answered",), "before"),
    "reply marked": ((f"{_RECORDER}.answered",), "after"),
    "before settle": (_SETTLE, "before"),
    "settled, not committed": (_SETTLE, "after"),
}
BY_GROUP = {"claimed, not committed", "started", "begun", "before settle", "settled, not committed"}


class Death:
    """The point at which this child dies; a parent has none."""

    point = ""
    left = 0
    kills = Path()


def choose_death(plan: Path) -> None:
    """Choose one of the plan's deaths that no child has died yet."""
    number = _child_number(Path(f"{plan}.children"))
    Death.kills = Path(f"{plan}.kills")
    dead = Death.kills.read_text().splitlines() if Death.kills.exists() else []
    due = []
    for times, _, point in (line.partition(" ") for line in plan.read_text().splitlines()):
        if point in dead:
            dead.remove(point)
        else:
            due.append((int(times), point))
    if due:
        Death.left, Death.point = due[number % len(due)]


def _child_number(children: Path) -> int:
    """Return the number of this child. Appends to a file are atomic, so no two children get the same number."""
    descriptor = os.open(children, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, b".")
    number = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.close(descriptor)
    return number


def reach(point: str) -> None:
    """Die if this is the chosen point, reached for the chosen number of times."""
    if point != Death.point:
        return
    Death.left -= 1
    if not Death.left:
        with Death.kills.open("a") as kills:
            kills.write(f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(call: Callable[..., Any], point: str, side: str) -> Callable[..., Any]:
    """Return the call with the point before or after it."""

    @functools.wraps(call)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        if side == "before":
            reach(point)
        result = call(*arguments, **options)
        if side == "after":
            reach(point)
        return result

    return wrapped


def install_points() -> None:
    """Wrap every call of the table. Raises LookupError for a call that does not exist."""
    for point, (targets, side) in POINTS.items():
        for target in targets:
            _wrap_at(target, point, side)


def _wrap_at(target: str, point: str, side: str) -> None:
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    if not hasattr(owner, name):
        raise LookupError(f"{point}: there is no {target}")
    setattr(owner, name, wrap(getattr(owner, name), point, side))


def mark_late() -> None:
    """Let the recorder mark a body as complete only when its reply is read, for the control test."""
    complete, answered = Recorder.complete, Recorder.answered

    def answered_late(self: Recorder, slot: int, *reply: Any) -> None:
        complete(self, slot)
        answered(self, slot, *reply)

    Recorder.complete = lambda _self, _slot: None  # type: ignore[method-assign,assignment]
    Recorder.answered = answered_late  # type: ignore[method-assign,assignment]


def main() -> None:
    """Run the worker from the command line; options after `--` are its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, help="numbers and points of the deaths")
    parser.add_argument("--grace-s", type=float, help="wait after the lease of another host's sender before recovery")
    parser.add_argument("--mark-late", action="store_true", help="for the control test")
    parser.add_argument("--mute", action="store_true", help="write the console to a full device")
    parser.add_argument("options", nargs="*", help="options of the worker")
    arguments = parser.parse_args()
    from worker import rescue
    from worker.app import app

    if arguments.mute:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 1)
        os.dup2(full, 2)
    if arguments.mark_late:
        mark_late()
    if arguments.grace_s is not None:
        rescue.GRACE_S = arguments.grace_s
    if arguments.plan is not None:
        install_points()
        signals.worker_process_init.connect(lambda **_: choose_death(arguments.plan), weak=False)
    app.worker_main(["--quiet", "worker", "--without-gossip", "--without-mingle", *arguments.options])


if __name__ == "__main__":
    main()
