"""`cadencia inbound`: mail that comes back, by SMTP, LMTP, a pipe, a Maildir or IMAP."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cli import groups, terminal
from errors import Unavailable

_RETRY_S = 5.0
_CHUNK_BYTES = 65_536

_to = click.option(
    "--to",
    "addresses",
    metavar="ADDRESS",
    multiple=True,
    help="Accept mail to this address, also with a tag; may be repeated.  [default: MAIL_FROM, REPLY_TO, RETURN_PATH]",
)
_once = click.option("--once", is_flag=True, help="Record what is there and end.")


@click.group(cls=groups.Group)
def group() -> None:
    """Receive mail that comes back: answers end sequences, and bounces suppress dead addresses.

    Use one of these ways, whichever suits the mail server (docs/inbound.md has an example of each).

    \b
    Examples:
      cadencia inbound receive --lmtp --listen 127.0.0.1:2424
      cadencia inbound imap --every 60
    """


@group.command()
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:2424", show_default=True, help="The address to use.")
@click.option("--lmtp", "is_lmtp", is_flag=True, help="Speak LMTP instead of SMTP.")
@_to
def receive(listen: str, is_lmtp: bool, addresses: tuple[str, ...]) -> None:
    """Receive mail over SMTP or LMTP until SIGINT or SIGTERM.

    A message is on disk before it is acknowledged, and is recorded as soon as the database is available. It has
    neither TLS nor AUTH: keep it behind a mail server, or on a private network.

    \b
    Examples:
      cadencia inbound receive --lmtp
      cadencia inbound receive --listen 10.0.0.5:25 --to hola@cadencia.example --to bounces@cadencia.example
    """
    import settings
    from engine.inbound.receiver import Limits, Receiver

    configured = settings.current()
    host, port = _host_and_port(listen)
    accepted = addresses or configured.own_addresses
    limits = Limits(configured.inbound_limit_bytes, configured.spool_limit_bytes)
    with _until_stopped() as stopping:
        receiver = Receiver(_folder(), accepted, limits, stopping.wake, is_lmtp=is_lmtp)
        try:
            port = receiver.start(host, port)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise Unavailable(f"{listen}: cannot be used ({reason}); choose another with --listen") from None
        click.echo(f"{'lmtp' if is_lmtp else 'smtp'}://{host}:{port} accepts mail to {', '.join(accepted)}", err=True)
        try:
            stopping.repeat(_drain, every_s=_RETRY_S)
        finally:
            receiver.stop()


class _PipeCommand(groups.Command):
    """A command whose every failure is temporary for the mail server that runs it, so that it keeps the message."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            error.show()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # no error may lose the message
            click.echo(f"Error: {type(error).__name__}", err=True)
        raise click.exceptions.Exit(os.EX_TEMPFAIL)


@group.command(cls=_PipeCommand)
@click.argument("recipients", metavar="[RECIPIENT]…", nargs=-1)
@click.option("--sender", metavar="ADDRESS", help="The envelope sender, if the message has no Return-Path.")
def pipe(recipients: tuple[str, ...], sender: str | None) -> None:
    """Receive one message from standard input, as mail servers pass it to a command.

    The status is 0 when the message is on disk, 65 if it is too large, and 75 (try again later) otherwise. RECIPIENT is
    the address of the envelope; it is not needed if the message has Delivered-To.

    \b
    Examples:
      cadencia inbound pipe < message.eml
      cadencia inbound pipe --sender ana@empresa.example hola@cadencia.example < message.eml
    """
    import settings
    from engine.inbound import mail_spool

    configured = settings.current()
    draft = mail_spool.draft(_folder(), sender=sender, recipients=recipients, limit_bytes=configured.spool_limit_bytes)
    size = 0
    try:
        while chunk := sys.stdin.buffer.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > configured.inbound_limit_bytes:
                click.echo(f"Error: the message is larger than {configured.inbound_limit_bytes} bytes", err=True)
                raise click.exceptions.Exit(os.EX_DATAERR)
            draft.write(chunk)
        draft.publish()
    finally:
        draft.discard()
    try:
        _drain()
    except Exception as error:  # noqa: BLE001  # the message is on disk; workers record it later
        click.echo(f"stored, to be recorded later: {type(error).__name__}", err=True)


@group.command()
@click.argument("folder", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--every", "every_s", metavar="SECONDS", default=2.0, show_default=True, help="Seconds between looks.")
@_once
def maildir(folder: Path, every_s: float, once: bool) -> None:
    """Record the new messages of a Maildir, and watch it until SIGINT or SIGTERM.

    A recorded message moves from `new` to `cur`, as read; one that cannot be recorded moves there flagged.

    \b
    Examples:
      cadencia inbound maildir /home/cadencia/Maildir
      cadencia inbound maildir /home/cadencia/Maildir --once
    """
    import settings
    from engine import clock
    from engine.inbound import maildir
    from models.session import retrying

    maildir.check(folder)
    limit_bytes = settings.current().inbound_limit_bytes
    _watch(lambda: maildir.record(folder, limit_bytes=limit_bytes, run=retrying, now=clock.now), every_s, once=once)


@group.command()
@click.option("--every", "every_s", metavar="SECONDS", default=60.0, show_default=True, help="Seconds between polls.")
@_once
def imap(every_s: float, once: bool) -> None:
    """Record the new messages of the mailbox IMAP_URL, and poll it until SIGINT or SIGTERM.

    The mailbox is opened read-only, so people may use it, too. The first poll begins 30 days ago.

    \b
    Examples:
      cadencia inbound imap --once
      cadencia --env /etc/cadencia/mail.env inbound imap --every 60
    """
    import settings
    from engine import clock
    from engine.inbound import imap
    from models.session import retrying

    configured = settings.current()
    if configured.imap_url is None:
        raise click.UsageError(
            "IMAP_URL is not set where the other settings are; write it like imaps://user:password@host/INBOX"
        )
    box = imap.mailbox(configured.imap_url.get_secret_value())
    state, limit_bytes = configured.spool_dir / box.state_name, configured.inbound_limit_bytes
    _watch(lambda: imap.poll(box, state, limit_bytes=limit_bytes, run=retrying, now=clock.now), every_s, once=once)


@group.command()
def spool() -> None:
    """Record the messages that `receive` and `pipe` have stored and nobody has recorded yet, and list those left.

    \b
    Example:
      cadencia inbound spool
    """
    from engine.inbound import mail_spool

    click.echo(f"{_drain()} recorded")
    for path, size_bytes in mail_spool.sizes(_folder()).items():
        terminal.row(path, f"{size_bytes} bytes")


class _Stopping:
    """Repeats work until a signal comes; `wake` makes the next round come at once."""

    def __init__(self) -> None:
        self._is_over = False
        self._wake = threading.Event()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._is_over = True
        self._wake.set()

    def repeat(self, work: Callable[[], object], *, every_s: float) -> None:
        """Run `work` now, then every so many seconds and at each `wake`, until `stop`."""
        trouble = ""
        while True:
            self._wake.clear()
            if self._is_over:  # after `clear`, so that no signal is lost
                return
            trouble = _reported(work, trouble)
            self._wake.wait(every_s)


def _reported(work: Callable[[], object], trouble: str) -> str:
    """Run `work`; return the reason why it is unavailable, which is reported when it changes."""
    import logging

    log = logging.getLogger("cadencia.inbound")
    try:
        work()
    except Unavailable as error:
        if str(error) != trouble:
            log.error("inbound_waits reason=%s", error)
        return str(error)
    if trouble:
        log.info("inbound_goes_on")
    return ""


@contextmanager
def _until_stopped() -> Iterator[_Stopping]:
    stopping = _Stopping()
    before = {number: signal.signal(number, lambda *_: stopping.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(record: Callable[[], int], every_s: float, *, once: bool) -> None:
    if once:
        click.echo(f"{record()} messages read")
        return
    with _until_stopped() as stopping:
        stopping.repeat(record, every_s=every_s)


def _folder() -> Path:
    import settings
    from engine.inbound import mail_spool

    return settings.current().spool_dir / mail_spool.FOLDER


def _drain() -> int:
    from engine import clock
    from engine.inbound import mail_spool
    from models.session import retrying

    return mail_spool.drain(_folder(), run=retrying, now=clock.now)


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:2424", param_hint="--listen")
    return host.strip("[]"), int(port)
