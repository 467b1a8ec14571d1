"""The size of each scenario: the short form runs with the test suite, the long form by `make faults`."""

import os

IS_LONG = os.environ.get("FAULTS") == "long"
SEED = int(os.environ.get("FAULTS_SEED", "11"))
TIMEOUT_S = 900 if IS_LONG else 120
LANES = ["transactional", "campaign"]
# For these tests the lanes hardly differ, so the short form uses one of them.
LANES_OF_LONG = LANES if IS_LONG else ["campaign"]
OTHER_LANES_OF_LONG = LANES if IS_LONG else ["transactional"]


def extent(short: int, long: int) -> int:
    """Return the size for the form that is run."""
    return long if IS_LONG else short
