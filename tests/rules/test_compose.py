"""docker-compose.yml and the Dockerfile name nothing that is not in the repository, and leave nothing open."""

import os
import pkgutil
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import settings
from local import container_secrets
from tests.conftest import environment
from tests.rules import programs
from tests.rules.conftest import ENVIRONMENT
from tests.rules.repository import MODULES, ROOT, SHIPPED
from web.wsgi import public_bodies

WORKERS = {"worker-send", "worker-bulk", "worker-events"}
SERVICES = {"db", "redis", "migrate", "web", "beat", "flower", "mail", "mail-receive", "nginx"} | WORKERS
IMAGES_OF_OTHERS = {"db", "redis", "nginx"}
FIELDS = settings.Settings.model_fields


@lru_cache
def compose() -> Any:
    return YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def services() -> dict[str, Any]:
    services: dict[str, Any] = compose()["services"]
    return services


def ours() -> dict[str, Any]:
    return {name: service for name, service in services().items() if name not in IMAGES_OF_OTHERS}


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")


def commands() -> dict[str, list[str]]:
    """Return the program of each service with its arguments, without the shell around them."""
    found = {name: service["command"] for name, service in ours().items() if "command" in service}
    [served] = re.findall(r"^CMD (\[.*granian.*\])$", dockerfile(), re.MULTILINE)
    found["web"] = YAML(typ="safe").load(served)
    return {name: programs.bare(command) for name, command in found.items()}


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    with environment(**ENVIRONMENT):
        yield


def test_compose_has_the_form_that_compose_wants() -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_compose_has_every_part_of_an_installation() -> None:
    assert services().keys() == SERVICES
    assert services()["db"]["image"].startswith("postgres:18")
    assert [name for name, service in services().items() if service.get("profiles")] == ["mail", "mail-receive"]


def test_every_command_is_one_that_its_program_knows() -> None:
    assert commands().keys() == ours().keys()
    for command in commands().values():
        programs.check(command)


def test_every_queue_is_consumed_and_bulk_has_workers_of_its_own(celery_config: Any) -> None:
    """R24: workers for campaigns consume no other queue."""
    consumed = programs.queues(commands().values())
    assert set().union(*consumed) == set(celery_config.QUEUES)
    assert [queues for queues in consumed if "campaign" in queues] == [{"campaign"}]


def test_every_variable_is_a_setting_and_a_process_gets_the_secrets_it_needs_and_no_others() -> None:
    every = {name for name, field in FIELDS.items() if "SecretStr" in str(field.annotation)}
    for name, service in ours().items():
        is_secret = {variable: str(value).startswith("/run/") for variable, value in service["environment"].items()}
        secrets = {name.removesuffix("_FILE" if is_secret[name] else "").lower() for name in is_secret}
        process = service["environment"]["PROCESS"]
        assert secrets <= FIELDS.keys() and process == name.partition("-")[0], name
        assert secrets >= set(settings.required(process)), name
        assert secrets & every == settings.SECRETS_OF[process] - {"imap_url"}, name
        files = {path.rpartition("/")[2] for path in service["environment"].values() if path.startswith("/run/")}
        assert set(service["secrets"]) - {"flower_password"} == files, name
    assert "secrets" not in services()["nginx"] and "environment" not in services()["nginx"]


def test_every_process_gets_every_setting_of_the_env_file() -> None:
    """Settings that a process needs in another form take precedence beside it: kind, folders, proxies."""
    for name, service in ours().items():
        assert service["env_file"] == [{"path": ".env", "required": False}], name
        assert {"PROCESS", "RECORDER_DIR", "SPOOL_DIR", "LOG_FILE", "TEMPLATES_DIR"} <= service["environment"].keys(), (
            name
        )


def test_the_image_sets_only_settings() -> None:
    [block] = re.findall(r"^ENV (PATH=.*)$", dockerfile(), re.MULTILINE)
    named = {pair.partition("=")[0] for pair in block.split()}
    assert {name.lower() for name in named if not name.startswith(("PATH", "PYTHON"))} <= FIELDS.keys()


def test_every_secret_is_declared_used_and_made() -> None:
    declared = set(compose()["secrets"])
    used = {secret for service in services().values() for secret in service.get("secrets", [])}
    assert declared == used
    for name, secret in compose()["secrets"].items():
        assert secret == {"file": f"${{SECRETS_DIR:-./secrets}}/{name}"}


def test_the_secrets_are_those_that_the_command_writes(tmp_path: Path) -> None:
    assert set(container_secrets.write(tmp_path, group=os.getgid())) == set(compose()["secrets"])
    assert services()["redis"]["group_add"] == [str(container_secrets.GROUP)]
    at = {name: urllib.parse.urlsplit((tmp_path / name).read_text().strip()) for name in ("database_url", "broker_url")}
    assert {url.hostname for url in at.values()} == {"db", "redis"} <= SERVICES
    assert at["database_url"].username == services()["db"]["environment"]["POSTGRES_USER"]
    assert at["database_url"].path == "/" + services()["db"]["environment"]["POSTGRES_DB"]


def test_the_function_that_the_inbox_calls_for_each_reply_exists() -> None:
    command = commands()["mail"]
    assert callable(pkgutil.resolve_name(command[command.index("--on-reply") + 1]))


def test_a_service_reads_only_secrets_it_is_given() -> None:
    for name, service in services().items():
        assert set(re.findall(r"/run/secrets/(\w+)", str(service))) <= set(service.get("secrets", [])), name


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert not re.findall(r"://[^\s:/@]*:[^\s@]+@", text)
    assert not re.findall(r"\$\{\w*(?:PASSWORD|SECRET(?!S_DIR)|KEY|TOKEN)\w*:-[^}]+\}", text)


def test_every_volume_is_declared_and_used() -> None:
    mounts = [volume.partition(":")[0] for service in services().values() for volume in service.get("volumes", [])]
    assert {mount for mount in mounts if not mount.startswith("./")} == set(compose()["volumes"])
    assert all((ROOT / mount).is_file() for mount in mounts if mount.startswith("./"))
    assert "postgres_data:/var/lib/postgresql" in services()["db"]["volumes"]


def test_senders_and_what_sorts_after_them_share_the_recorders() -> None:
    """R9f: a recorder is read by any sender of the host, so all of them see the same folder."""
    [folder] = re.findall(r"RECORDER_DIR=(\S+)", dockerfile())
    sharing = {name for name, service in ours().items() if f"recorders:{folder}" in service.get("volumes", [])}
    assert sharing == WORKERS


def test_senders_see_the_spool_of_the_web_service() -> None:
    """R25: senders see the consent changes that web processes spooled; the receiver of mail shares the folder."""
    [folder] = re.findall(r"SPOOL_DIR=(\S+)", dockerfile())
    sharing = {name for name, service in ours().items() if f"spool:{folder}:ro" in service.get("volumes", [])}
    assert sharing == WORKERS
    writing = {name for name, service in ours().items() if f"spool:{folder}" in service.get("volumes", [])}
    assert writing == {"web", "mail-receive"}


def test_whatever_is_written_to_is_writable_in_a_read_only_container() -> None:
    made = re.findall(r"/var/l\S+", "".join(re.findall(r"install -d (.*)", dockerfile())))
    for name, service in ours().items():
        assert service["read_only"] and service["tmpfs"] == ["/tmp"] and service["cap_drop"] == ["ALL"], name
        assert {volume.split(":")[1] for volume in service["volumes"]} <= set(made), name
    [log] = re.findall(r"LOG_FILE=(\S+)", dockerfile())
    assert [name for name, service in ours().items() if f"logs:{Path(log).parent}" not in service["volumes"]] == [
        "mail"
    ]


def test_everything_comes_back_by_itself_and_is_asked_how_it_is() -> None:
    """R23: every service is started again, and every check is a round trip through the service."""
    for name, service in services().items():
        if name != "migrate":
            assert service["restart"] == "always", name
            assert service["healthcheck"]["test"], name
            assert int(service["stop_grace_period"].removesuffix("s")) >= 10, name


def test_nothing_starts_before_the_tables_are_there() -> None:
    for name, service in ours().items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name


def test_only_nginx_may_be_published_beyond_this_host() -> None:
    """R23, R37: the ledger and the broker are on a network without a way out; pages for operators stay on loopback."""
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports == {
        "nginx": ["${WEB_ADDRESS:-127.0.0.1}:8000:8080"],
        "flower": ["127.0.0.1:5555:5555"],
        "mail": ["127.0.0.1:8025:8025"],
        "mail-receive": ["127.0.0.1:2424:2424"],
    }
    assert compose()["networks"]["inside"] == {"internal": True}
    assert services()["db"]["networks"] == services()["redis"]["networks"] == ["inside"]
    assert services()["nginx"]["networks"] == ["outside"]  # it reaches the web service, and neither ledger nor broker


def test_nginx_needs_no_rights_and_its_limits_are_those_of_the_settings() -> None:
    service, configured = services()["nginx"], (ROOT / "nginx.conf").read_text(encoding="utf-8")
    assert service["read_only"] and service["tmpfs"] == ["/tmp"] and service["cap_drop"] == ["ALL"]
    assert "listen 8080;" in configured and "server web:8000;" in configured
    limits = {"size 1m;": "body_limit_bytes", "size 8m;": "batch_limit_bytes", "size 100m;": "import_limit_bytes"}
    for limit, setting in limits.items():
        assert f"client_max_body_{limit}" in configured
        assert int(limit.split()[1].removesuffix("m;")) * 1_000_000 == FIELDS[setting].default
    assert services()["web"]["environment"]["TRUSTED_PROXIES"] == "1"


def test_the_broker_keeps_what_it_takes_and_asks_for_a_password() -> None:
    command = " ".join(services()["redis"]["command"])
    wanted = ("requirepass", "--appendonly yes", "--appendfsync everysec", "--maxmemory ", "noeviction")
    assert [words for words in wanted if words not in command] == []


def test_flower_asks_for_a_password() -> None:
    """R37."""
    assert "FLOWER_BASIC_AUTH=" in services()["flower"]["command"][2]


def test_the_image_holds_all_that_the_product_is_made_of() -> None:
    copied = {part for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile(), re.MULTILINE) for part in line.split()}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    needed = {*MODULES, *SHIPPED, "cadencia", "local", "email_templates"}
    assert needed <= copied and needed | {"requirements.txt"} == allowed
    assert all((ROOT / name).exists() for name in allowed)


def test_the_image_serves_on_port_8000_with_threads_for_views_and_for_bodies() -> None:
    command = commands()["web"]
    assert command[command.index("--port") + 1] == "8000" and "EXPOSE 8000" in dockerfile()
    threads = f"$((${{WEB_THREADS:-{FIELDS['web_threads'].default}}}+{public_bodies.READERS_MAX}))"
    assert command[command.index("--blocking-threads") + 1] == threads


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (.*)$", dockerfile(), re.MULTILINE) == ["10001:10001"]
