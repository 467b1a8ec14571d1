"""Postfix's programs, where they are here; elsewhere a figure that says which package has them."""

import shutil

import pytest

from bench.testbed import postfix
from local import ports


def test_a_missing_program_names_the_package_and_the_command() -> None:
    assert "package postfix" in postfix.MISSING and "make system-packages" in postfix.MISSING


def test_an_empty_machine_has_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert postfix.find(folders=()) is None


def test_smtp_source_hands_its_messages_to_smtp_sink() -> None:
    tools = postfix.find()
    if tools is None:
        assert shutil.which("smtp-source", path="/usr/sbin:/usr/bin") is None
        return
    message = b"Subject: hello\r\n\r\n.a line\r\n"
    with postfix.receiving(tools, ports.free()) as receiver:
        sent = postfix.send(tools, receiver.port, message, 50)
        assert sent.per_s > 0 and receiver.cpu_s >= 0
