"""Celery's configuration and tasks, read without leaving either loaded in the process of the tests."""

import json
import os
import runpy
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import TEST_ENVIRONMENT, environment
from tests.rules.repository import ROOT

ENVIRONMENT = {**TEST_ENVIRONMENT, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/cadencia"}

_TELL = """
import json
from worker.app import app
app.loader.import_default_modules()
ours = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
tasks = {name: {"doc": task.__doc__, "arguments": task.run.__code__.co_argcount} for name, task in ours.items()}
print(json.dumps({"tasks": tasks, "conf": {name: app.conf[name] for name in NAMES}}))
"""
CONF = (
    "broker_connection_retry_on_startup",
    "broker_connection_max_retries",
    "task_serializer",
    "accept_content",
    "task_ignore_result",
    "result_backend",
    "task_acks_late",
    "task_reject_on_worker_lost",
    "task_create_missing_queues",
    "worker_prefetch_multiplier",
    "worker_cancel_long_running_tasks_on_connection_loss",
    "worker_max_tasks_per_child",
    "enable_utc",
)


@pytest.fixture(scope="session")
def celery_config() -> Any:
    """celery_config.py as a namespace, with the settings' defaults."""
    with environment(**ENVIRONMENT):
        return SimpleNamespace(**runpy.run_path(str(ROOT / "celery_config.py")))


@pytest.fixture(scope="session")
def worker() -> dict[str, Any]:
    """Return the `tasks` by name and the `conf` of a real worker process."""
    script = _TELL.replace("NAMES", repr(CONF))
    asked = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    tasks: dict[str, Any] = json.loads(asked.stdout)
    return tasks
