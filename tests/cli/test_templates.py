"""The templates, from the command line."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.conftest import environment


def test_templates_are_listed_with_the_variables_they_require(cadencia: Run, tmp_path: Path) -> None:
    with environment(DATABASE_URL="postgresql://x@127.0.0.1:9/none", LOG_FILE=str(tmp_path / "log")):
        listed = cadencia("templates", "list").stdout
    assert "email_1_roi\tindustria, link_calendly, nombre" in listed
