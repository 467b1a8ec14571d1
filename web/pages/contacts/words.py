"""Words for the states of contacts, shared by forms and templates."""

from collections.abc import Mapping
from typing import Any

from web.pages.frame.languages import lazy_gettext

STATUSES: dict[str, Any] = {
    "new": lazy_gettext("no campaign e-mail yet"),
    "email_1_sent": lazy_gettext("step 1 sent"),
    "email_2_sent": lazy_gettext("step 2 sent"),
    "email_3_sent": lazy_gettext("step 3 sent"),
    "replied": lazy_gettext("the contact answered"),
    "unsubscribed": lazy_gettext("the contact unsubscribed"),
    "bounced": lazy_gettext("the address does not exist"),
    "converted": lazy_gettext("the contact converted"),
    "complained": lazy_gettext("the contact complained about an e-mail"),
}
SUPPRESSED: dict[str, Any] = {
    "unsubscribed": lazy_gettext("the contact unsubscribed"),
    "hard_bounce": lazy_gettext("the address does not exist"),
    "complaint": lazy_gettext("the contact complained about an e-mail"),
    "manual": lazy_gettext("somebody suppressed the address by hand"),
    "erased": lazy_gettext("the data was erased"),
}
STOPPED: dict[str, Any] = {
    **{reason: STATUSES[reason] for reason in ("converted", "replied", "unsubscribed", "bounced", "complained")},
    "suppressed": SUPPRESSED["manual"],
    "erased": SUPPRESSED["erased"],
    "cancelled": lazy_gettext("the campaign was cancelled"),
    "received": lazy_gettext("the contact had received an e-mail of this campaign before"),
}


def translated(words: Mapping[str, Any]) -> dict[str, str]:
    """Return these words in the reader's language, so that a page translates each once."""
    return {name: str(text) for name, text in words.items()}
