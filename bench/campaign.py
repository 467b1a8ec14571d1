"""A campaign's messages per second, against the usual way: a task and a connection for each message.

python -m bench.campaign                              the short form
python -m bench.campaign --contacts 100000 --runs 5   the long form
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from uuid import UUID

from bench import sink
from bench.installation import Installation, installed, wait_until_idle
from engine import bell, clock
from engine.audience import contacts
from engine.campaigns import campaigns
from engine.campaigns.steps import StepDraft
from engine.messages.templates import Library
from models.session import transaction
from settings import current

_PAGE = 2_000
BUSY = "SELECT EXISTS (SELECT 1 FROM enrollments WHERE state IN ('active', 'waiting'))"


def main() -> None:
    """The command line: the table, then a JSON line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=20_000, help="of one campaign (default: %(default)s)")
    parser.add_argument("--naive", type=int, default=400, help="messages of the baseline (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each, in turn (default: %(default)s)")
    options = parser.parse_args()
    with sink.running() as server, installed(server.port, NAIVE_SMTP_PORT=str(server.port)) as installation:
        pairs = [
            (ours(installation, options.contacts), naive(installation, options.naive)) for _ in range(options.runs)
        ]
    tell(pairs)


def ours(installation: Installation, count: int) -> float:
    """Messages per second of one campaign, from the first ring to the last message settled."""
    prepare(installation, count)
    installation.sending()
    used, started = installation.cpu_s(), time.monotonic()
    bell.ring("sequence")
    wait_until_idle(BUSY, within_s=600)
    took = time.monotonic() - started
    cost = {part: (after - used[part]) / count * 1e6 for part, after in installation.cpu_s().items()}
    installation.stop_workers()
    split = ", ".join(f"{part} {us:.0f}" for part, us in cost.items())
    print(f"ours   {count:>8} messages {count / took:9.0f}/s   CPU us a message: {split}", flush=True)
    return count / took


def prepare(installation: Installation, count: int) -> UUID:
    """A launched campaign of one step to `count` contacts, in an otherwise empty ledger."""
    installation.empty()
    now = clock.now()
    for start in range(0, count, _PAGE):
        people = [
            contacts.Draft(
                f"persona{number}@empresa{number % 997}.example",
                first_name="Ana",
                last_name=f"Ruiz {number}",
                company="Transportes del Norte",
                industry="Logística",
            )
            for number in range(start, min(start + _PAGE, count))
        ]
        with transaction() as session:
            contacts.upsert(session, people, now=now)
    draft = campaigns.CampaignDraft(
        name="bench", steps=[StepDraft("email_1_roi", 0)], variables={"link_calendly": "https://cal.example/15"}
    )
    with transaction() as session:
        campaign_id = campaigns.create(session, draft, library=Library(current().templates_dir), now=now)
        campaigns.launch(session, campaign_id, now=now)
    installation.settle()
    return campaign_id


def naive(installation: Installation, count: int) -> float:
    """Messages per second of the usual way, from the first task published to the last mail recorded."""
    from bench import naive as usual  # here, because it reads the installation's environment

    mail_ids = usual.prepare(count)
    installation.process("-m", "celery", "-A", "bench.naive", "worker", "-c", "2", "--without-gossip", "-l", "INFO")
    installation.wait_for_workers()
    started = time.monotonic()
    for mail_id in mail_ids:
        usual.send.delay(mail_id)
    wait_until_idle("SELECT EXISTS (SELECT 1 FROM naive_mails WHERE status <> 'sent')", within_s=600)
    took = time.monotonic() - started
    installation.stop_workers()
    print(f"naive  {count:>8} messages {count / took:9.0f}/s", flush=True)
    return count / took


def tell(pairs: Sequence[tuple[float, float]]) -> None:
    """The median of the ratios, each of two measurements made one after the other."""
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    figure = {
        "figure": "campaign_over_naive",
        "value": round(statistics.median(ratios), 1),
        "bar": 10,
        "spread": [round(ratios[0], 1), round(ratios[-1], 1)],
        "messages_per_second": round(statistics.median(mine for mine, _ in pairs)),
        "naive_messages_per_second": round(statistics.median(theirs for _, theirs in pairs)),
        "runs": len(pairs),
        "cores": os.cpu_count(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
