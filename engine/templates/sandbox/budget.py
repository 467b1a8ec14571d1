"""What one rendering may spend: every character it makes and every round of its loops costs."""

from typing import Any

from jinja2.exceptions import SecurityError

UNITS_MAX = 1_000_000  # one unit is one character
ROUND_UNITS = 100  # what a round of a loop costs at least: 10,000 rounds in all


class Budget:
    """What is left to one rendering."""

    left = UNITS_MAX

    def spend(self, units: int) -> None:
        """Take `units` off, or SecurityError when there are not that many left."""
        self.left -= units
        if self.left < 0:
            raise SecurityError(f"the template makes more than {UNITS_MAX} characters or loops without end")


def charge(purse: Budget, text: Any) -> Any:
    """`text` itself, paid for by its length; what is no text is free."""
    if isinstance(text, str):
        purse.spend(len(text))
    return text
