"""The rule-based score: how warm a contact is, 0 to 100, by weights that anybody may read.

=====================================  ===========================
each follow-up mail opened             5, so up to 15
each follow-up mail clicked            20 more, so up to 60
replied (and nothing after it)         25
converted                              100, whatever else there was
unsubscribed, bounced or complained    0: nobody may write to them
=====================================  ===========================

A click counts far above an open because machines open mails and seldom choose a link. A later release learns the
weights; docs/scoring.md tells the reasons for these.
"""

from collections.abc import Mapping

OPENED = 5
CLICKED = 20
REPLIED = 25
HIGHEST = 100
LOST = ("unsubscribed", "bounced", "complained")
STEPS = (1, 2, 3)


def points(flags: Mapping[str, bool], status: str) -> int:
    """The score of a contact with these flags (`email_1_opened` … `converted`) and `email_followup_status`."""
    if status in LOST:
        return 0
    if flags["converted"]:
        return HIGHEST
    opened = sum(flags[f"email_{step}_opened"] for step in STEPS)
    clicked = sum(flags[f"email_{step}_clicked"] for step in STEPS)
    return min(HIGHEST, OPENED * opened + CLICKED * clicked + REPLIED * (status == "replied"))


def sql(row: str) -> str:
    """The same as an SQL expression over `row`, an alias of anything that has the columns of contacts."""
    lost = ", ".join(f"'{status}'" for status in LOST)
    return f"""CASE
    WHEN {row}.email_followup_status IN ({lost}) THEN 0
    WHEN {row}.converted THEN {HIGHEST}
    ELSE least({HIGHEST}, {OPENED} * {_how_many(row, "opened")} + {CLICKED} * {_how_many(row, "clicked")}
                          + {REPLIED} * CAST({row}.email_followup_status = 'replied' AS int))
END"""


def _how_many(row: str, what: str) -> str:
    return "(" + " + ".join(f"CAST({row}.email_{step}_{what} AS int)" for step in STEPS) + ")"
