"""How much of each scenario is run: the short form with all tests, the long one by `make faults`."""

import os

IS_LONG = os.environ.get("FAULTS") == "long"
SEED = int(os.environ.get("FAULTS_SEED", "11"))
TIMEOUT_S = 900 if IS_LONG else 120
LANES = ["transactional", "campaign"]
# Where the lanes differ little, the short form takes one.
LANES_OF_LONG = LANES if IS_LONG else ["campaign"]


def extent(short: int, long: int) -> int:
    """How many, in the form that is being run."""
    return long if IS_LONG else short
