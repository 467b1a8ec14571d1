"""Child processes that end when their parent ends, even if it is killed."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(by: signal.Signals) -> Callable[[], object] | None:
    """Return a `preexec_fn` that makes the kernel send `by` to the child when its parent ends; None if unsupported.

    The kernel sends it when the *thread* that started the child ends, so start the child from the main thread. Linux
    only.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, by)
