"""A whole installation for the tests of a module: web server, workers for every queue, beat, and an inbox."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local import ports
from local.mail.mailstore import Mailstore
from local.mail.receiver import DEMO_RULES, Receiver
from tests import processes
from tests.environment import environment
from tests.journeys import marketer
from tests.web.pages import visitors


@dataclass(frozen=True)
class Installation:
    """Its address, and the e-mails that it sent."""

    url: str
    inbox: Mailstore


@contextmanager
def running(folder: Path, *, database: str, broker: str) -> Iterator[Installation]:
    """Run an installation on an empty database with one account."""
    store = Mailstore(folder / "inbox")
    receiver = Receiver(store, 0, rules=DEMO_RULES)
    receiver.start()
    port = ports.free()
    url = f"http://127.0.0.1:{port}"
    folders = {name: str(folder / name) for name in ("RECORDER_DIR", "SPOOL_DIR", "LOG_FILE")}
    servers = {"DATABASE_URL": database, "CELERY_BROKER_URL": broker, "SMTP_URL": f"smtp://127.0.0.1:{receiver.port}"}
    try:
        with (
            environment(PUBLIC_URL=url, BELL_ENABLED="true", **servers, **folders),
            processes.running(folder / "processes.log") as started,
        ):
            visitors.create(marketer.ACCOUNT, "admin")
            for queues in ("transactional", "campaign", "events,imports,sequence"):
                started.worker(queues)
            started.beat()
            started.web(port)
            yield Installation(url, store)
    finally:
        receiver.stop()
