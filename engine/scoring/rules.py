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

OPENED = 5
CLICKED = 20
REPLIED = 25
HIGHEST = 100
LOST = ("unsubscribed", "bounced", "complained")
STEPS = (1, 2, 3)


def points(flags: Mapping[str, bool], status: str) -> int:
    """Return the score of a contact with these flags (`email_1_opened` … `converted`) and `email_followup_status`."""
    if status in LOST:
        return 0
    if flags["converted"]:
        return HIGHEST
    opened = sum(flags[f"email_{step}_opened"] for step in STEPS)
    clicked = sum(flags[f"email_{step}_clicked"] for step in STEPS)
    return min(HIGHEST, OPENED * opened + CLICKED * clicked + REPLIED * (status == "replied"))


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
