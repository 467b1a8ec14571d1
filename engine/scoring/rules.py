"""The rule-based score of a contact, from 0 to 100, by fixed weights.

=====================================  ===========================
each follow-up e-mail opened           5, up to 15
each follow-up e-mail clicked          20 more, up to 60
replied, nothing stronger since        25
converted                              100
unsubscribed, bounced or complained    0
=====================================  ===========================

docs/scoring.md gives the reasons for these weights.
"""

from collections.abc import Mapping
from typing import NamedTuple

OPENED = 5
CLICKED = 20
REPLIED = 25
HIGHEST = 100
LOST = ("unsubscribed", "bounced", "complained")
STEPS = (1, 2, 3)


class Part(NamedTuple):
    """A part of a score: its name, the number of times that it counts, and its points in all."""

    name: str
    times: int
    points: int


def parts(flags: Mapping[str, bool], status: str) -> tuple[Part, ...]:
    """Return the parts of the score of a contact with these flags (`email_1_opened` … `converted`) and status.

    One of `LOST`, or `converted`, is the only part. Those of other contacts may add up to more than `HIGHEST`.
    """
    if status in LOST:
        return (Part(status, 1, 0),)
    if flags["converted"]:
        return (Part("converted", 1, HIGHEST),)
    times = {name: sum(flags[f"email_{step}_{name}"] for step in STEPS) for name in ("opened", "clicked")}
    times["replied"] = int(status == "replied")
    weights = {"opened": OPENED, "clicked": CLICKED, "replied": REPLIED}
    return tuple(Part(name, number, number * weights[name]) for name, number in times.items() if number)


def points(flags: Mapping[str, bool], status: str) -> int:
    """Return the score of a contact with these flags and this `email_followup_status`."""
    return min(HIGHEST, sum(part.points for part in parts(flags, status)))


def sql(row: str) -> str:
    """Return the score as an SQL expression over `row`, an alias with the columns of contacts."""
    lost = ", ".join(f"'{status}'" for status in LOST)
    return f"""CASE
    WHEN {row}.email_followup_status IN ({lost}) THEN 0
    WHEN {row}.converted THEN {HIGHEST}
    ELSE least({HIGHEST}, {OPENED} * {_number(row, "opened")} + {CLICKED} * {_number(row, "clicked")}
                          + {REPLIED} * CAST({row}.email_followup_status = 'replied' AS int))
END"""


def _number(row: str, what: str) -> str:
    return "(" + " + ".join(f"CAST({row}.email_{step}_{what} AS int)" for step in STEPS) + ")"
