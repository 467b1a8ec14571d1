"""The inbox of the embedded default: a mail server that keeps what it gets, and a page to read it."""

import argparse
import pkgutil
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from werkzeug.serving import WSGIRequestHandler, make_server

from local.mail import webmail
from local.mail.mailstore import Mailstore
from local.mail.receiver import DEMO_RULES, Receiver, Replies, Rule

_POLL_S = 0.05  # how soon the page's server notices that it is to stop

_EXAMPLES = """\
examples:
  python -m local.mail.inbox
  python -m local.mail.inbox --smtp-port 2525 --http-port 8025 --store var/inbox
  python -m local.mail.inbox --faults
  python -m local.mail.inbox --reply-to hola@cadencia.example --on-reply package.module:function
"""


class Inbox:
    """The mail server and its page together, on threads of this process; a context manager.

    Ports of 0 take free ones; `smtp_port` and `http_port` are the true ones after `start`.
    """

    def __init__(
        self,
        store: Mailstore,
        *,
        ports: tuple[int, int] = (0, 0),
        host: str = "127.0.0.1",
        rules: Sequence[Rule] = (),
        replies: Replies | None = None,
    ) -> None:
        smtp_port, self.http_port = ports
        self.host = host
        self.store = store
        self._receiver = Receiver(store, smtp_port, host=host, rules=rules, replies=replies)

    @property
    def smtp_port(self) -> int:
        """Where it takes mail."""
        return self._receiver.port

    def start(self) -> None:
        """Both servers listen from here on. Raises OSError when a port is taken."""
        self._receiver.start()
        page = webmail.create_app(self.store)
        try:
            self._page = make_server(self.host, self.http_port, page, threaded=True, request_handler=_Quiet)
        except BaseException:
            self._receiver.stop()
            raise
        self.http_port = self._page.server_port
        threading.Thread(target=self._page.serve_forever, args=[_POLL_S], name="inbox-http", daemon=True).start()

    def stop(self) -> None:
        """Closes both ports and all connections."""
        self._receiver.stop()
        self._page.shutdown()
        self._page.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Says nothing: a search has an address in its URL."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: runs until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.reply_to) != bool(options.on_reply):
        parser.error("--reply-to and --on-reply go together: give both or neither")
    replies = None
    if options.on_reply:
        replies = Replies(options.reply_to, pkgutil.resolve_name(options.on_reply))
    inbox = Inbox(
        Mailstore(options.store),
        ports=(options.smtp_port, options.http_port),
        host=options.host,
        rules=DEMO_RULES if options.faults else (),
        replies=replies,
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with inbox:
        print(
            f"Mail: smtp://{options.host}:{inbox.smtp_port}  Page: http://{options.host}:{inbox.http_port}", flush=True
        )
        ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.mail.inbox",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smtp-port", type=int, default=2525, metavar="N", help="take mail here (default 2525)")
    parser.add_argument("--http-port", type=int, default=8025, metavar="N", help="show it here (default 8025)")
    parser.add_argument("--host", default="127.0.0.1", help="listen on this address (default 127.0.0.1)")
    parser.add_argument(
        "--store", type=Path, default=Path("var/inbox"), metavar="DIR", help="keep mail here (default var/inbox)"
    )
    rules = "; ".join(
        f"{rule.prefix}*: {rule.reply[:9]} {'always' if rule.times is None else f'the first {rule.times} times'}"
        for rule in DEMO_RULES
    )
    parser.add_argument("--faults", action="store_true", help=f"refuse some recipients, by local part ({rules})")
    parser.add_argument("--reply-to", metavar="ADDRESS", help="do not keep mail to this address: it is a reply")
    parser.add_argument(
        "--on-reply", metavar="MODULE:FUNCTION", help="call this with each reply, as raw bytes (with --reply-to)"
    )
    return parser


if __name__ == "__main__":
    main()
