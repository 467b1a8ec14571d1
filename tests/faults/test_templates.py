"""A host whose template is broken beside a host that has it."""

import shutil
from collections.abc import Callable

from sqlalchemy import text

import settings
from models.session import transaction
from tests import processes
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.extent import extent
from tests.faults.scenarios import Scenario


def test_a_broken_template_on_one_host(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """The host gives the e-mails of the template back and sends those of others; the other host sends all."""
    scenario.relay()
    broken = scenario.folder / "templates of the broken host"
    shutil.copytree(settings.current().templates_dir, broken)
    (broken / "email_1_roi" / "body.html").write_text("{% if %}")
    with environment(TEMPLATES_DIR=str(broken), RECORDER_DIR=str(scenario.folder / "recorders of the broken host")):
        scenario.processes.worker("campaign,transactional", concurrency=2)
    scenario.keeper()
    scenario.launch(extent(60, 1000), days=(0,))
    scenario.queue("transactional", extent(20, 300))
    processes.until(lambda: "template_unusable" in scenario.processes.log.read_text(), "the template is unusable")
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails WHERE attempts > 0")) == 0
        assert session.scalar(text("SELECT count(*) FROM send_groups WHERE state <> 'open'")) <= 4  # no loop
    scenario.processes.worker("campaign,transactional", concurrency=extent(1, 2))
    scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}
