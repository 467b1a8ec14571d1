"""The installed versions are those that were tested together (rule R1)."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.rules.repository import MODULES, ROOT, SHIPPED

FORBIDDEN = ("celery-batches", "gevent", "eventlet", "html2text", "dkimpy-milter")
FILES = ("requirements.txt", "requirements-dev.txt")


def pins(name: str) -> dict[str, str]:
    """Project -> version of every line of a requirements file."""
    pinned = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-r "):
            requirement = Requirement(wanted)
            [pin] = requirement.specifier
            assert pin.operator == "==", line
            pinned[requirement.name] = pin.version
    return pinned


PINS = [(project, version) for name in FILES for project, version in pins(name).items()]


@pytest.mark.parametrize(("project", "version"), PINS, ids=[project for project, _ in PINS])
def test_the_pinned_version_is_installed(project: str, version: str) -> None:
    assert metadata.version(project) == version


def test_celery_and_its_transport_are_those_that_survive_an_outage_of_the_broker() -> None:
    assert {"celery": "5.6.3", "kombu": "5.7.0", "redis": "8.1.0"}.items() <= pins("requirements.txt").items()


def test_a_forbidden_project_is_not_installed() -> None:
    installed = {(found.metadata["Name"] or "").lower() for found in metadata.distributions()}
    assert not installed & set(FORBIDDEN)


def test_every_package_has_what_it_asks_for() -> None:
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout


def test_the_image_runs_a_python_that_the_project_allows() -> None:
    images = re.findall(r"^FROM python:(\d+\.\d+)-slim", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert images and len(set(images)) == 1
    assert Version("3.11") <= Version(images[0]) <= Version("3.13")
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


def test_the_wheel_holds_every_file_of_the_product() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = (*SHIPPED, "email_templates")
    assert {f"{name}.py" for name in setuptools["py-modules"]} == set(MODULES)
    assert {pattern.removesuffix("*") for pattern in setuptools["packages"]["find"]["include"]} == set(packages)
    files = [path for name in packages for path in (ROOT / name).rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in files if "__pycache__" not in path.parts}
    assert suffixes - {".py"} == {pattern.removeprefix("*") for pattern in setuptools["package-data"]["*"]}
