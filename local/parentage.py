"""Children that end with the process that started them, however it ends."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(by: signal.Signals) -> Callable[[], object] | None:
    """What `preexec_fn` does so that the child gets `by` when its parent ends; None where that cannot be had.

    The kernel sends it when the starting *thread* ends: only the main one lives long enough. Linux only.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, by)
