"""The inbox of the embedded installation: a mail server that stores what it receives, and a web page to read it."""

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

_POLL_S = 0.05  # the longest time until the page's server notices a stop

_EXAMPLES = """\
examples:
  python -m local.mail.inbox
  python -m local.mail.inbox --smtp-port 2525 --http-port 8025 --store var/inbox
  python -m local.mail.inbox --faults
  python -m local.mail.inbox --reply-to hola@cadencia.example --on-reply package.module:function
"""


class Inbox:
    """The mail server and its page, on threads of this process; a context manager.

    A port of 0 means any free one; `smtp_port` and `http_port` are the real ones after `start`.
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
        """Return the port of the mail server."""
        return self._receiver.port

    def start(self) -> None:
        """Start both servers. Raise OSError if a port is taken."""
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
        """Close both ports and all connections."""
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
        """Log nothing: the URL of a search contains an address."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.reply_to) != bool(options.on_reply):
        parser.error("--reply-to and --on-reply go together: use both or neither")
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
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with inbox:
            print(
                f"Mail: smtp://{options.host}:{inbox.smtp_port}  Page: http://{options.host}:{inbox.http_port}",
                flush=True,
            )
            stopping.wait()
    except OSError as error:
        parser.exit(1, f"{error.strerror}: stop what listens on the port, or choose another\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.mail.inbox",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smtp-port", type=int, default=2525, metavar="N", help="the SMTP port (default 2525)")
    parser.add_argument("--http-port", type=int, default=8025, metavar="N", help="the port of the page (default 8025)")
    parser.add_argument("--host", default="127.0.0.1", help="listen on this address (default 127.0.0.1)")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("var/inbox"),
        metavar="DIR",
        help="the folder of the messages (default var/inbox)",
    )
    rules = "; ".join(
        f"{rule.prefix}*: {rule.reply[:9]} {'always' if rule.times is None else f'the first {rule.times} times'}"
        for rule in DEMO_RULES
    )
    parser.add_argument("--faults", action="store_true", help=f"refuse some recipients, by local part ({rules})")
    parser.add_argument(
        "--reply-to",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="do not store mail to this address: it is a reply or a bounce; may be repeated",
    )
    parser.add_argument(
        "--on-reply", metavar="MODULE:FUNCTION", help="call this with the raw bytes of each reply (with --reply-to)"
    )
    return parser


if __name__ == "__main__":
    main()
