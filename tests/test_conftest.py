"""The start of every test: a test of pure code ends within 2 s, one with a database within 4 s."""

import subprocess
import sys

from tests.processes import ROOT

SLOW = ("sqlalchemy", "psycopg", "celery", "kombu", "redis", "flask", "hypothesis", "psutil", "engine", "models", "web")


def test_the_fixtures_import_nothing_slow_before_they_are_used() -> None:
    script = f"import sys, tests.conftest; print(*[name for name in {SLOW} if name in sys.modules])"
    imported = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert imported.stdout == "\n"
