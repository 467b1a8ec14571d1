"""Sign-ups while web servers and workers die: each gets one request to confirm, each confirmed one its first e-mail."""

import http.client
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import psutil
from sqlalchemy import text

import settings
from engine import clock
from engine.campaigns import campaigns
from engine.campaigns.drafting import drafts
from engine.forms.signer import Signer
from local import ports
from models.session import transaction
from tests import processes, sequence
from tests.conftest import environment
from tests.engine.forms import signups
from tests.faults.comparison import Report
from tests.faults.extent import SEED
from tests.faults.scenarios import Scenario
from tests.faults.test_hits import kill_web
from tests.forkserver import Child

PEOPLE, KILLS, WITHIN_S = 300, 6, 280.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_sign_ups_while_web_servers_and_workers_die(scenario: Scenario, audited: Callable[[], Report]) -> None:
    chance, now = random.Random(SEED), clock.now()
    scenario.relay()
    workers = [scenario.processes.worker(queue) for queue in ("transactional", "campaign")]
    scenario.keeper()
    with environment(FORM_RATE="1000000 per hour"):
        webs = {port: scenario.processes.web(port) for port in (ports.free(), ports.free())}
        signer = Signer(settings.current().tracking_ring)
        with transaction() as session:
            campaign = drafts.create(session, sequence.draft(days=(0,)), library=sequence.library(), now=now)
            form = signups.create(session, campaign_id=str(campaign))
            campaigns.launch(session, campaign, now=now)
        stamp = signer.stamp(form.id, datetime.now(UTC) - timedelta(minutes=1))
        filled = {"first_name": "Ana", "consent": "1", "stamp": stamp}
        scenario.emails = PEOPLE
        bodies = [("/f/guia", filled | {"email": f"p{number}@empresa.example"}) for number in range(PEOPLE)]
        _post_twice(scenario, webs, workers, bodies, chance)
        scenario.until_settled(within_s=WITHIN_S)
        with transaction() as session:
            submissions = session.scalars(text("SELECT id FROM form_submissions")).all()
        assert len(submissions) == PEOPLE
        scenario.emails += PEOPLE
        links = [(f"/f/confirm/{signer.confirmation(each)}", {"by": "press"}) for each in submissions]
        _post_twice(scenario, webs, workers, links, chance)
    scenario.until_settled(within_s=WITHIN_S)
    with transaction() as session:
        enrolled = text("SELECT count(*), count(DISTINCT contact_id) FROM enrollments WHERE campaign_id = :campaign")
        assert session.execute(enrolled, {"campaign": campaign}).one() == (PEOPLE, PEOPLE)
        assert session.scalar(text("SELECT count(*) FROM contacts WHERE NOT is_recipient")) == PEOPLE
    audited()


def _post_twice(
    scenario: Scenario, webs: dict[int, Child], workers: list[Child], requests: list[tuple[str, dict[str, str]]],
    chance: random.Random,
) -> None:  # fmt: skip
    """Send each request twice at once, each again until it is answered, while processes die."""
    with ThreadPoolExecutor(8) as pool:
        answers: list[Future[int]] = [pool.submit(_answered, webs, *each) for each in requests for _ in range(2)]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.6))
            kill_web(scenario, webs, chance)
            _kill_child(scenario, chance.choice(workers), chance)
        assert {answer.result() for answer in answers} == {200}


def _kill_child(scenario: Scenario, worker: Child, chance: random.Random) -> None:
    """Kill a child of the worker; it counts if there was work, which comes only as fast as the requests."""
    is_busy, children = scenario.is_busy(), processes.pool_children(worker)
    if is_busy and children:
        with suppress(psutil.NoSuchProcess):  # it has just died
            chance.choice(children).kill()
            scenario.kills["child"] += 1


def _answered(webs: dict[int, Child], path: str, body: dict[str, str]) -> int:
    """Return the status of the response to this request, which is repeated while servers die."""
    ends_at = time.monotonic() + WITHIN_S
    while time.monotonic() < ends_at:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", random.choice(list(webs)), timeout=15)
            connection.request("POST", path, urlencode(body), FORM)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    return 0
