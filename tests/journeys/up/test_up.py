"""`make up` as a user runs it: two documented calls with the printed token, restarts, a clean end."""

import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from local.mail.mailstore import Mailstore
from tests.processes import ROOT, until
from tests.up import Up

pytestmark = pytest.mark.timeout(300)

TO = "compradora@empresa.example"
REQUEST = {
    "to": TO,
    "template": "email_1_roi",
    "variables": {"nombre": "Juan Pérez", "industria": "Marketing", "link_calendly": "https://cal.example/juan"},
}


def test_the_two_calls_of_the_specification_work(up: Up) -> None:
    status, sent = up.call("/api/v1/emails/send", REQUEST)
    assert status == 202
    assert sent["status"] == "success"
    assert re.fullmatch(r"email_[0-9a-f]{32}", sent["email_id"])
    assert sent["sent_at"].endswith("Z")
    until(lambda: [*Mailstore(up.state / "inbox").latest(recipient=TO)], "the e-mail is in the inbox")
    event = {"email_id": sent["email_id"], "event_type": "opened", "timestamp": "2024-01-15T10:05:00Z"}
    status, tracked = up.call("/api/v1/events/track", event)
    assert (status, tracked["status"]) == (202, "success")
    until(lambda: up.call(f"/api/v1/emails/{sent['email_id']}")[1]["opened_at"], "the event is applied")


def test_the_environment_file_is_complete_and_private(up: Up) -> None:
    assert up.environment.keys() >= {"DATABASE_URL", "FERNET_KEYS", "PUBLIC_URL", "FLOWER_URL", "TOKEN"}
    assert (up.state / "local.env").stat().st_mode & 0o777 == 0o600
    assert up.environment["TOKEN"] in up.said


def test_commands_use_the_environment_file(up: Up) -> None:
    command = [str(ROOT / "cadencia"), "--env", str(up.state / "local.env"), "accounts", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "local\tactive\tadmin" in listed.stdout.splitlines()


def test_a_second_one_on_the_same_folder_is_refused_in_one_sentence(up: Up) -> None:
    command = [sys.executable, "-m", "local.up", "--state", str(up.state)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        refused.stderr.startswith(f"{up.state}: in use by another running Cadencia") and refused.stderr.count("\n") == 1
    )


def test_flower_asks_for_its_password(up: Up) -> None:
    url = re.sub(r"//[^@]*@", "//", up.environment["FLOWER_URL"])

    def status(path: str = "") -> int:
        try:
            with urllib.request.urlopen(url + path, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code
        except OSError:
            return 0

    until(status, "flower answers")
    assert status() == status("/metrics") == status("/api/workers") == 401


def test_processes_have_no_secrets_of_others(up: Up) -> None:
    def environments(words: str) -> list[dict[str, str]]:
        processes = [each for each in up.descendants() if words in " ".join(each.cmdline())]
        return [each.environ() for each in processes]

    [flower], beats = environments("worker.monitor flower"), environments("worker beat")
    for each in (flower, *beats):
        assert "CELERY_BROKER_URL" in each and not each.keys() & {"DATABASE_URL", "FERNET_KEYS", "JWT_SECRET_KEY"}
    assert beats and environments("-Q campaign")
    assert all("JWT_SECRET_KEY" not in each and "SMTP_URL" in each for each in environments("-Q campaign"))


def test_killed_processes_are_restarted(up: Up) -> None:
    killed = [child for child in up.descendants() if child.name().startswith("valkey")]
    killed += [child for child in up.descendants() if "transactional" in child.cmdline()][:1]
    assert len(killed) == 2
    for process in killed:
        process.kill()
    until(lambda: "Valkey ended and was started again" in up.said, "Valkey is started again")
    before = Mailstore(up.state / "inbox").last
    up.call("/api/v1/emails/send", REQUEST)
    until(lambda: Mailstore(up.state / "inbox").last > before, "e-mails are sent again", within_s=90)
