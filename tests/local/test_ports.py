"""Free ports, and what is said when the wanted one is taken."""

import socket

import pytest

from local import ports


@pytest.fixture
def taken() -> int:
    """A port somebody listens on."""
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def test_the_preferred_port_is_chosen_when_free(capsys):
    wanted = ports.free()
    assert ports.choose("web", wanted) == wanted
    assert capsys.readouterr().err == ""


def test_the_next_free_port_is_chosen_and_told_when_taken(taken, capsys):
    chosen = ports.choose("web", taken)
    assert chosen > taken
    assert capsys.readouterr().err == f"web: port {taken} is taken, using {chosen}.\n"


def test_an_error_names_the_ports_when_none_is_free(monkeypatch):
    monkeypatch.setattr(ports, "_TRIED", 1)
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(OSError, match=f"web: ports {port} to {port} are all taken"):
            ports.choose("web", port)
