"""One measured campaign: prepared, started, watched to its end, and verified in the ledger."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import TextClause, text

from bench.report import progress
from bench.testbed import people, postfix, sink
from bench.testbed.installation import Installation, environment, family, peak_mib
from engine import bell, clock
from engine.campaigns import campaigns, enrollments
from engine.campaigns.drafting import drafts
from engine.campaigns.steps import StepDraft
from engine.messages import compose
from engine.templates.templates import Library
from local import ports
from models import ids
from models.session import retrying, transaction
from settings import current
from worker import process

TEMPLATE = "email_1_bench"
BUSY = "SELECT EXISTS (SELECT 1 FROM enrollments WHERE state IN ('active', 'waiting'))"

_VARIABLES = {"link_calendly": "https://cal.example/15"}
_ANSWERED = text("SELECT coalesce(sum(answered), 0) FROM send_groups")
_DONE = text(
    "SELECT (SELECT count(*) FROM emails WHERE status = 'sent') AS sent, "
    "(SELECT count(*) FROM contacts WHERE email_1_sent) AS flagged, "
    "(SELECT count(*) FROM enrollments WHERE state = 'finished') AS finished"
)


class Receiver(Protocol):
    """A mail server that accepts everything, in a separate process."""

    port: int

    @property
    def cpu_s(self) -> float:
        """Return its user and system time."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run postfix's smtp-sink if it is installed, else the benchmark's own sink."""
    tools = postfix.find()
    with postfix.receiving(tools, ports.free()) if tools else sink.running() as receiver:
        yield receiver


@dataclass(frozen=True)
class Tuning:
    """Settings of a campaign's senders; None leaves a setting as it is."""

    group: int | None = None
    senders: int = 3
    connections: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings that differ from the defaults."""
        values = {"SEND_GROUP_SIZE": self.group, "SMTP_CONNECTIONS": self.connections}
        return {name: str(value) for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        group, connections = self.group or current().send_group_size, self.connections or current().smtp_connections
        return f"{self.senders} senders, groups of {group}, {connections} connections each"


@dataclass(frozen=True)
class Result:
    """A finished campaign: its duration, and the CPU time of each part per message, in microseconds."""

    messages: int
    took_s: float
    split_us: Mapping[str, float]
    peak_mib: float

    @property
    def per_s(self) -> float:
        """Return messages per second, from the start to the last message in the ledger."""
        return self.messages / self.took_s

    @property
    def us(self) -> float:
        """Return the CPU time of a message without the receiver's."""
        return sum(us for part, us in self.split_us.items() if part != "sink")

    def __str__(self) -> str:
        split = ", ".join(f"{part} {us:.1f}" for part, us in self.split_us.items())
        return (
            f"campaign     {self.messages:>8} messages {self.per_s:>8.0f}/s   CPU {self.us:.1f} us a message "
            f"({split}), a sending process {self.peak_mib:.1f} MiB at most"
        )


def run(installation: Installation, receiver: Receiver, count: int, tuning: Tuning) -> Result:
    """Send a campaign to `count` contacts with workers started for it."""
    campaign_id = prepare(installation, count)
    pause(campaign_id)
    with environment(tuning.environment):
        senders = installation.sending(tuning.senders)
    _warm_up()
    used, started = _used(installation, receiver), time.monotonic()
    resume(campaign_id)
    _watch(count)
    took = time.monotonic() - started
    split = {part: (now - used[part]) / count * 1e6 for part, now in _used(installation, receiver).items()}
    result = Result(count, took, split, peak_mib(family(senders.pid)[1:]))
    installation.stop_workers()
    _verify(count)
    return result


def prepare(installation: Installation, count: int) -> UUID:
    """Launch a campaign of one step to `count` contacts in an otherwise empty ledger, and return its id."""
    installation.empty()
    people.copy(count)
    campaign_id = _launch("bench", people.INDUSTRY)
    installation.settle()
    return campaign_id


def _launch(name: str, industry: str) -> UUID:
    now, audience = clock.now(), {"industry": [industry]}
    draft = drafts.CampaignDraft(name, [StepDraft(TEMPLATE, 0)], audience=audience, variables=_VARIABLES)
    with transaction() as session:
        campaign_id = drafts.create(session, draft, library=Library(current().templates_dir), now=now)
        campaigns.launch(session, campaign_id, now=now)
    while retrying(lambda session: enrollments.proceed(session, campaign_id)):
        pass
    return campaign_id


def _warm_up(within_s: float = 120) -> None:
    """Send to the other contacts first, so that templates are compiled and connections open."""
    deadline = time.monotonic() + within_s
    _launch("warm-up", people.OTHER_INDUSTRY)
    bell.ring("campaign")
    while _asked(_ANSWERED) < people.OTHERS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the workers did not warm up within {within_s:.0f} s")
        time.sleep(0.1)


def pause(campaign_id: UUID) -> None:
    """Pause a campaign, so that beat cannot start it before the measurement."""
    with transaction() as session:
        campaigns.pause(session, campaign_id, "the workers are being started", now=clock.now())


def resume(campaign_id: UUID) -> None:
    """Resume a campaign and ring its bell."""
    with transaction() as session:
        campaigns.resume(session, campaign_id, now=clock.now())
    bell.ring("sequence")
    bell.ring("campaign")


def message() -> bytes:
    """Return a message as the campaign sends it to one of its contacts, for a server with 8BITMIME."""
    email_id = ids.new()
    person = {"nombre": "Ana", "empresa": "Transportes del Norte", "industria": "Logística"}
    mail = compose.Email(
        email_id=email_id, message_id=f"{email_id.hex}@cadencia.example", to=people.address(50_000),
        to_name="Ana Ruiz 50000", template=TEMPLATE, variables={**person, **_VARIABLES}, kind="marketing",
    )  # fmt: skip
    return process.composer().compose(mail, now=clock.now(), eight_bit=True).data


def _watch(count: int, within_s: float = 1_800) -> None:
    """Wait for the end; poll more often towards it, so that polling costs little and the end is exact.

    Counting the enrollments reads all of them, so it is done only when all e-mails are answered or nothing changes.
    """
    started, before = time.monotonic(), -1
    with progress.bar("messages settled", count) as bar:
        while True:
            answered, passed = _asked(_ANSWERED) - people.OTHERS, time.monotonic() - started
            if (answered >= count or answered == before) and not _asked(text(BUSY)):
                return
            if passed > within_s:
                raise TimeoutError(f"{answered} of {count} messages after {within_s:.0f} s")
            bar.show(answered)
            before = answered
            remaining = passed * (count - answered) / answered if answered else 0.5
            time.sleep(min(0.5, max(0.02, remaining / 5)))


def _asked(query: TextClause) -> int:
    with transaction() as session:
        return int(session.scalar(query) or 0)


def _verify(count: int) -> None:
    """Check that all were sent and that contacts and enrollments were updated: otherwise the rate means nothing."""
    with transaction() as session:
        counts = session.execute(_DONE).one()
    assert set(counts) == {count + people.OTHERS}, (
        f"of {count} + {people.OTHERS} messages the ledger has {counts._asdict()}"
    )


def _used(installation: Installation, receiver: Receiver) -> dict[str, float]:
    return {**installation.cpu_s(), "sink": receiver.cpu_s}
