"""The extent of tests that generate their input: the short form runs with the others, the long one by `make fuzz`."""

import os

IS_LONG = os.environ.get("FUZZ") == "long"


def examples(short: int) -> int:
    """Return how many examples Hypothesis makes."""
    return 20 * short if IS_LONG else short
