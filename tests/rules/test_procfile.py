"""The Procfile and the Makefile name nothing that is not in the repository."""

import re
import shlex
from typing import Any

from tests.conftest import environment
from tests.processes import LIMITS
from tests.rules import programs, repository
from tests.rules.conftest import ENVIRONMENT

ROOT = repository.ROOT


def processes() -> dict[str, list[str]]:
    """Each process of the Procfile, by its name: the program and its arguments."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    return {name: programs.bare(shlex.split(command)) for name, _, command in pairs}


def test_every_command_of_the_procfile_is_one_that_its_program_knows() -> None:
    assert len(processes()) >= 5
    with environment(**ENVIRONMENT):
        for command in processes().values():
            programs.check(command)


def test_the_procfile_consumes_every_queue_and_bulk_has_workers_of_its_own(celery_config: Any) -> None:
    consumed = programs.queues(processes().values())
    assert set().union(*consumed) == set(celery_config.QUEUES)
    assert [queues for queues in consumed if "campaign" in queues] == [{"campaign"}]


def test_the_procfile_has_one_beat_and_one_web_server() -> None:
    assert [name for name, command in processes().items() if "beat" in command] == ["beat"]
    assert [name for name, command in processes().items() if "web:create_app" in command] == ["web"]


def test_every_make_target_that_a_page_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE))
    for page, text in repository.texts(".md").items():
        named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets, page


def test_the_web_server_has_the_same_limits_everywhere() -> None:
    """HTTP/1 alone, because granian's detection of HTTP/2 waits without limit for the first bytes of a connection."""
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace('", "', " ").replace('", \\\n     "', " ")
    limits = " ".join(LIMITS)
    assert limits in " ".join(processes()["web"]) and limits in image  # those of systemd: test_systemd.py
