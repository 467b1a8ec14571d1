"""The spools of this host, as far as workers drain them: those of web processes, and incoming mail."""

import settings
from engine import clock
from engine.inbound import mail_spool
from engine.ingest import drain
from models.session import retrying


def apply_consent_changes() -> None:
    """Apply the consent changes in all spools, so that nothing is sent to a contact who has unsubscribed.

    Includes the files of living processes. Raises Unavailable if there are any and the database is unavailable.
    """
    drain.consent_changes(settings.current().spool_dir, run=retrying)


def drain_orphans() -> int:
    """Drain the spools of dead processes and return the number of their entries."""
    return drain.spools(settings.current().spool_dir, run=retrying, now=clock.now())


def drain_mail() -> int:
    """Record the incoming mail that waits in the spool, and return the number of messages."""
    return mail_spool.drain(settings.current().spool_dir / mail_spool.FOLDER, run=retrying, now=clock.now)


def remove_unfinished_mail() -> None:
    """Remove incoming messages that killed processes left unfinished."""
    mail_spool.remove_unfinished(settings.current().spool_dir / mail_spool.FOLDER)
