"""Debian's nginx with the repository's nginx.conf, in front of a web server of the test."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import ports
from tests import debian, processes

ROOT = Path(__file__).parents[3]


@contextmanager
def nginx(folder: Path, web_port: int) -> Iterator[int]:
    """Run nginx in front of the web server until the block ends; yield its port. Skipped where there is no nginx."""
    program = debian.find("sbin/nginx")
    port = ports.free()
    content = (ROOT / "nginx.conf").read_text(encoding="utf-8")
    for stated, ours in (
        ("server web:8000;", f"server 127.0.0.1:{web_port};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("worker_processes auto;", "worker_processes 1;"),
    ):
        assert content.count(stated) == 1, stated
        content = content.replace(stated, ours)
    configuration = folder / "nginx.conf"
    configuration.write_text(re.sub(r"(?<=\s)/tmp/", f"{folder}/", content))
    user = "user root; " if os.geteuid() == 0 else ""
    command = [str(program), "-c", str(configuration), "-p", str(folder), "-e", "stderr", "-g", f"{user}daemon off;"]
    environment = os.environ | {"LD_LIBRARY_PATH": debian.libraries()}
    with (
        (folder / "nginx.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            processes.until(lambda: process.poll() is not None or _listens(port), "nginx listens", within_s=10)
            assert process.poll() is None, (folder / "nginx.log").read_text()
            yield port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
