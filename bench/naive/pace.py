"""Speed of the naive way of `bench/naive/tasks.py`: one task and one connection per message."""

import time

from bench.testbed.installation import Installation, wait_until_idle

_BUSY = "SELECT EXISTS (SELECT 1 FROM naive_mails WHERE status <> 'sent')"


def messages_per_second(installation: Installation, count: int) -> float:
    """Return the rate from the first published task to the last recorded e-mail."""
    from bench.naive import tasks  # imported here, because it reads the installation's environment

    mail_ids = tasks.prepare(count)
    installation.process(
        "-m", "celery", "-A", "bench.naive.tasks", "worker", "-c", "2", "--without-gossip", "-l", "INFO"
    )
    installation.wait_for_workers()
    started = time.monotonic()
    for mail_id in mail_ids:
        tasks.send.delay(mail_id)
    wait_until_idle(_BUSY, within_s=600)
    took = time.monotonic() - started
    installation.stop_workers()
    return count / took
