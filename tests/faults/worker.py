"""The real Celery worker, whose children are killed at named points of a send.

python -m tests.faults.worker --plan FILE -- -Q campaign -c 2

Each line of the plan is a number and a point; every forked child takes a line and dies by SIGKILL when it comes
to that point for that many times. FILE.births counts the children, FILE.kills gets the point of each one dead.
The product knows nothing of this: the table below wraps the calls that mark those moments.
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

_CLAIM = ("engine.delivery.claim:claim", "engine.campaigns.due:claim")
_SETTLE = ("engine.delivery.settle:settle",)
_RECORDER = "engine.delivery.recorder:Recorder"

# The moments of a send, in order: the calls that mark them, and on which side of the call the child dies.
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


class Fate:
    """Which point a child dies at; a parent has none."""

    point = ""
    left = 0
    kills = Path()


def take_fate(plan: Path) -> None:
    """Choose among the deaths of the plan that nobody has died yet."""
    birth = _birth(Path(f"{plan}.births"))
    Fate.kills = Path(f"{plan}.kills")
    dead = Fate.kills.read_text().splitlines() if Fate.kills.exists() else []
    due = []
    for times, _, point in (line.partition(" ") for line in plan.read_text().splitlines()):
        if point in dead:
            dead.remove(point)
        else:
            due.append((int(times), point))
    if due:
        Fate.left, Fate.point = due[birth % len(due)]


def _birth(births: Path) -> int:
    """Which child this is. A write at the end of a file is atomic: no two get the same number."""
    descriptor = os.open(births, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, b".")
    number = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.close(descriptor)
    return number


def pass_by(point: str) -> None:
    """Die here, if this is the point and its time has come."""
    if point != Fate.point:
        return
    Fate.left -= 1
    if not Fate.left:
        with Fate.kills.open("a") as kills:
            kills.write(f"{point}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(call: Callable[..., Any], point: str, side: str) -> Callable[..., Any]:
    """The same call, with the point before or after it."""

    @functools.wraps(call)
    def wrapped(*given: Any, **named: Any) -> Any:
        if side == "before":
            pass_by(point)
        answer = call(*given, **named)
        if side == "after":
            pass_by(point)
        return answer

    return wrapped


def install_points() -> None:
    """Wrap every call of the table; one that is not there is an error, unless another marks the same moment."""
    for point, (targets, side) in POINTS.items():
        wrapped = [target for target in targets if _wrap_at(target, point, side)]
        if not wrapped:
            raise LookupError(f"{point}: there is no {' and no '.join(targets)}")


def _wrap_at(target: str, point: str, side: str) -> bool:
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, import_module(module))
    call = getattr(owner, name, None)
    if call is not None:
        setattr(owner, name, wrap(call, point, side))
    return call is not None


def mark_late() -> None:
    """The control: a recorder that marks a body complete only after its dot was written, once the reply is here."""
    complete, answered = Recorder.complete, Recorder.answered

    def answered_late(self: Recorder, slot: int, *said: Any) -> None:
        complete(self, slot)
        answered(self, slot, *said)

    Recorder.complete = lambda _self, _slot: None  # type: ignore[method-assign]
    Recorder.answered = answered_late  # type: ignore[method-assign]


def main() -> None:
    """The command line; what follows `--` are the worker's own options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, help="who dies where")
    parser.add_argument("--grace-s", type=float, help="how long past its lease another host's sender is left alone")
    parser.add_argument("--mark-late", action="store_true", help="the control that must fail")
    parser.add_argument("--mute", action="store_true", help="with a console that is full")
    parser.add_argument("options", nargs="*", help="of the worker")
    given = parser.parse_args()
    from worker import rescue
    from worker.app import app

    if given.mute:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 1)
        os.dup2(full, 2)
    if given.mark_late:
        mark_late()
    if given.grace_s is not None:
        rescue.GRACE_S = given.grace_s
    if given.plan is not None:
        install_points()
        signals.worker_process_init.connect(lambda **_: take_fate(given.plan), weak=False)
    app.worker_main(["--quiet", "worker", "--without-gossip", "--without-mingle", *given.options])


if __name__ == "__main__":
    main()
