"""A small IMAP server for one mailbox, as far as a reader of new messages needs it (RFC 9051)."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRWPair

USER, PASSWORD = "buzon@cadencia.example", "p@ss w/rd"


class ImapServer:
    """A mailbox: its messages by UID, its UIDVALIDITY, and the commands that it got."""

    def __init__(self) -> None:
        self.messages: dict[int, bytes] = {}
        self.validity = 7
        self.commands: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # ends `accept`, which closing alone does not
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as file:  # buffered, so a reply is one packet
                self._converse(file)

    def _converse(self, file: BufferedRWPair) -> None:
        file.write(b"* OK ready\r\n")
        file.flush()
        for line in file:
            tag, _, command = line.decode().strip().partition(" ")
            self.commands.append(command)
            for answer in self._answers(command):
                file.write(answer)
            is_refused = command.upper().startswith("LOGIN") and PASSWORD not in command.replace("\\", "")
            file.write(f"{tag} {'NO refused' if is_refused else 'OK done'}\r\n".encode())
            file.flush()

    def _answers(self, command: str) -> Iterator[bytes]:
        words = command.upper()
        if words.startswith("CAPABILITY"):
            yield b"* CAPABILITY IMAP4rev1\r\n"
        elif words.startswith("LIST"):
            yield b'* LIST () "/" "Respuestas"\r\n' if "INBOX" not in words else b'* LIST () "/" INBOX\r\n'
        elif words.startswith("EXAMINE"):
            yield f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] valid\r\n".encode()
        elif words.startswith("UID SEARCH"):
            found = re.search(r"UID (\d+):\*", words.removeprefix("UID SEARCH"))
            first = int(found.group(1)) if found else 0
            uids = [uid for uid in self.messages if uid >= first] or list(self.messages)[-1:]
            yield f"* SEARCH {' '.join(map(str, uids))}\r\n".encode()
        elif found := re.match(r"UID FETCH (\d+) \(?BODY\.PEEK\[\]<0\.(\d+)>\)?", words):
            part = self.messages[int(found.group(1))][: int(found.group(2))]
            yield f"* 1 FETCH (UID {found.group(1)} BODY[]<0> {{{len(part)}}}\r\n".encode() + part + b")\r\n"


@contextmanager
def running() -> Iterator[ImapServer]:
    """Run a server during the block."""
    server = ImapServer()
    try:
        yield server
    finally:
        with suppress(OSError):  # a test closed it
            server.close()
