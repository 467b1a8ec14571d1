"""Free ports, and the message if the preferred one is taken."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def test_the_preferred_port_is_chosen_when_free(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ports.free()
    assert ports.choose("web", wanted) == wanted
    assert capsys.readouterr().err == ""


def test_the_next_free_port_is_chosen_and_reported_when_the_preferred_is_taken(
    taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ports.choose("web", taken)
    assert chosen > taken
    assert capsys.readouterr().err == f"web: port {taken} is taken, using {chosen}.\n"


def test_an_error_names_the_ports_when_none_is_free() -> None:
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(OSError, match=f"web: ports {port} to {port} are all taken"):
            ports.choose("web", port, attempts=1)


def test_two_processes_do_not_choose_the_same_port(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted = ports.free()
    assert ports.choose("web", wanted) == wanted  # nobody listens there yet
    other = [sys.executable, "-c", f"from local import ports; print(ports.choose('web', {wanted}))"]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    chosen = subprocess.run(other, capture_output=True, text=True, check=True, env=environ)
    assert int(chosen.stdout) > wanted
    assert chosen.stderr.startswith(f"web: port {wanted} is taken")


def test_the_same_process_may_choose_its_port_again() -> None:
    wanted = ports.free()
    assert [ports.choose("web", wanted), ports.choose("web", wanted)] == [wanted, wanted]
