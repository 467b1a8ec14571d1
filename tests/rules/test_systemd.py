"""The systemd units name programs that exist, give each process only its secrets, and restart it."""

import configparser
import re
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any

import settings
from tests.conftest import environment
from tests.processes import LIMITS
from tests.rules import programs
from tests.rules.conftest import ENVIRONMENT
from tests.rules.repository import ROOT

UNITS = ROOT / "deploy" / "systemd"


def read(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of units are case-sensitive
    unit.read_string(path.read_text(encoding="utf-8").replace("\\\n", ""))
    return unit


@lru_cache
def services() -> dict[str, Any]:
    return {path.stem.removeprefix("cadencia-"): read(path)["Service"] for path in UNITS.glob("*.service")}


def command(service: Any) -> list[str]:
    words = shlex.split(service["ExecStart"].replace("%%", "%").replace("$$", "$"))
    return programs.bare(["sh", *words[1:]] if words[0] == "/bin/sh" else words)


def test_every_command_is_one_that_its_program_knows() -> None:
    with environment(**ENVIRONMENT):
        for service in services().values():
            programs.check(command(service))
    assert " ".join(LIMITS) in " ".join(command(services()["web"]))
    assert "--respawn-failed-workers" in command(services()["web"])


def test_every_queue_is_consumed_and_bulk_has_workers_of_its_own(celery_config: Any) -> None:
    consumed = programs.queues(command(service) for service in services().values())
    assert set().union(*consumed) == set(celery_config.QUEUES)
    assert [queues for queues in consumed if "campaign" in queues] == [{"campaign"}]


def test_a_process_gets_the_secrets_of_its_kind_and_no_others() -> None:
    every = {name for name, field in settings.Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    for name, service in services().items():
        kind = service["Environment"].partition("PROCESS=")[2]
        removed = {variable.lower() for variable in service["UnsetEnvironment"].split()}
        assert removed >= (every - settings.SECRETS_OF[kind]) | ({"flower_basic_auth"} - {f"{name}_basic_auth"}), name
        assert not removed & settings.SECRETS_OF[kind], name
    common = read(UNITS / "cadencia-.service.d" / "common.conf")["Service"]
    assert (common["InaccessiblePaths"], common["Restart"]) == ("/etc/cadencia", "always")


def test_the_target_starts_all_of_them_but_the_optional_one() -> None:
    wanted = read(UNITS / "cadencia.target")["Unit"]["Wants"].split()
    assert {name for unit in wanted for name in re.findall(r"cadencia-(.*)\.service", unit)} == services().keys() - {
        "inbound"
    }
