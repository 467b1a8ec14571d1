"""The SMTP handshake: addresses, banner, TLS and credentials, and how each of them can fail."""

import base64
import datetime
import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.delivery import smtp
from engine.delivery.outcomes import Sent, Untried
from engine.delivery.smtp import Reason
from tests.engine.delivery.smtp.dialogue import PIPELINING, Answer, Drop, Hang
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, MemoryLog, message, messages, transport
from tests.engine.delivery.smtp.servers import Server

TLS = (*PIPELINING, "STARTTLS", "AUTH PLAIN LOGIN")
USER, PASSWORD = "ana", "s3cr:t/ñ"
Certificate = tuple[ssl.SSLContext, Path]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a self-signed certificate for 127.0.0.1, as a server's context and a file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "mx.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


def refused(url: str, limits: smtp.Limits = QUICK) -> smtp.RelayUnavailable:
    """Open a transport and return the error that says why the relay cannot be used."""
    with pytest.raises(smtp.RelayUnavailable) as caught:
        transport(url, limits).open()
    return caught.value


def with_login(server: Server, options: str = "", scheme: str = "smtp") -> str:
    return f"{scheme}://ana:s3cr%3At%2F%C3%B1@127.0.0.1:{server.port}?{options}"


@pytest.mark.parametrize(
    ("event", "answer", "reason", "code"),
    [
        ("BANNER", b"554 5.7.1 no service for you", Reason.GREETING, 554),
        ("BANNER", Drop(b"421 4.7.0 too many connections\r\n"), Reason.GREETING, 421),
        ("BANNER", Drop(), Reason.DROPPED, None),
        ("BANNER", Drop(reset=True), Reason.DROPPED, None),
        ("BANNER", Hang(), Reason.TIMEOUT, None),
        ("BANNER", b"SSH-2.0-OpenSSH_9.9", Reason.NOT_SMTP, None),
        ("EHLO", b"550 5.7.1 who are you?", Reason.HELLO, 550),
        ("EHLO", Drop(), Reason.DROPPED, None),
    ],
)
def test_relay_is_unavailable_with_a_reason_when_it_refuses_the_connection(
    event: str, answer: Answer, reason: Reason, code: int | None
) -> None:
    with Server(lambda current, _: answer if current == event else None).running() as server:
        error = refused(server.url)
    # A reset appears as a failed connection or as a closed one, depending on timing.
    assert error.reason in ({reason, Reason.CONNECT} if answer.__class__ is Drop else {reason})
    assert error.code == code
    assert error.retry_after_s == QUICK.pause_s


def test_relay_is_unavailable_when_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert refused(f"smtp://127.0.0.1:{port}").reason is Reason.CONNECT


def test_relay_is_unavailable_when_its_name_does_not_resolve() -> None:
    assert refused("smtp://mx.invalid:25?starttls=off").reason is Reason.RESOLVE


def test_relay_is_not_tried_again_before_its_pause_is_over() -> None:
    with Server(lambda current, _: b"554 no" if current == "BANNER" else None).running() as server:
        client = transport(server.url, smtp.Limits(pause_s=0.3))
        for reason in (Reason.GREETING, Reason.PAUSED, Reason.PAUSED):
            with pytest.raises(smtp.RelayUnavailable) as caught:
                client.open()
            assert caught.value.reason is reason
        server.rule = lambda *_: None
        time.sleep(caught.value.retry_after_s + 0.05)
        client.open()
        assert client.is_open
        client.close()
    assert len(server.connected_at) == 2


def test_helo_is_sent_when_ehlo_is_unknown() -> None:
    with Server(lambda current, _: b"502 what?" if current == "EHLO" else None).running() as server:
        client = transport(server.url)
        assert isinstance(client.send(messages(2), FROM, MemoryLog())[1], Sent)
        client.close()
    assert server.commands[:2] == ["EHLO", "HELO"]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_messages_are_sent_under_tls_when_the_certificate_is_trusted(certificate: Certificate, scheme: str) -> None:
    context, file = certificate
    body = b"a long line of text to fill records with\r\n" * 120_000
    batch = [message(0, body=body), *messages(40)[1:]]
    with Server(features=TLS, context=context, implicit_tls=scheme == "smtps").running() as server:
        limits = smtp.Limits(connections=2, command_timeout_s=5, dot_timeout_s=5)
        client = transport(f"{scheme}://127.0.0.1:{server.port}?ca={file}&starttls=required", limits)
        outcomes = client.send(batch, FROM, MemoryLog())
        client.close()
    assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
    assert {mail.data for mail in server.accepted} == {sent.data for sent in batch}
    assert len(server.accepted) == 40
    assert ("STARTTLS" in server.commands) == (scheme == "smtp")


def test_relay_is_unavailable_when_its_certificate_is_not_trusted(certificate: Certificate) -> None:
    with Server(features=TLS, context=certificate[0]).running() as server:
        error = refused(server.url)
    assert error.reason is Reason.CERTIFICATE
    assert "self-signed" in str(error)
    assert "MAIL" not in " ".join(server.commands)


def test_relay_is_unavailable_when_its_certificate_is_for_another_name(certificate: Certificate) -> None:
    context, file = certificate
    with Server(features=TLS, context=context).running() as server:
        assert refused(f"smtp://localhost:{server.port}?ca={file}").reason is Reason.CERTIFICATE


def test_relay_is_unavailable_when_tls_is_required_and_not_offered() -> None:
    with Server().running() as server:
        assert refused(f"{server.url}?starttls=required").reason is Reason.TLS_MISSING


@pytest.mark.parametrize("answer", [b"454 4.7.0 not now", b"220 go ahead\r\n250 and this was not encrypted"])
def test_relay_is_unavailable_when_starttls_fails(certificate: Certificate, answer: Answer) -> None:
    rule = lambda current, _: answer if current == "STARTTLS" else None
    with Server(rule, features=TLS, context=certificate[0]).running() as server:
        assert refused(server.url).reason is Reason.TLS


def test_relay_is_unavailable_when_it_speaks_no_tls_on_a_tls_port() -> None:
    with Server().running() as server:
        error = refused(f"smtps://127.0.0.1:{server.port}")
    assert error.reason in (Reason.TLS, Reason.TIMEOUT)


@pytest.mark.parametrize("mechanisms", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
def test_credentials_are_sent_under_tls(certificate: Certificate, mechanisms: str) -> None:
    context, file = certificate
    with Server(features=(*PIPELINING, "STARTTLS", mechanisms), context=context).running() as server:
        client = transport(with_login(server, f"ca={file}"))
        client.open()
        client.close()
    [token] = [command.split()[-1] for command in server.commands if command.startswith("AUTH PLAIN ")] or [""]
    if "PLAIN" in mechanisms:
        assert base64.b64decode(token).decode() == f"\0{USER}\0{PASSWORD}"
    else:
        place = server.commands.index("AUTH LOGIN") + 1
        words = [base64.b64decode(word).decode() for word in server.commands[place : place + 2]]
        assert words == [USER, PASSWORD]


def test_relay_is_unavailable_when_it_refuses_the_credentials(certificate: Certificate) -> None:
    context, file = certificate
    rule = lambda current, _: b"535 5.7.8 bad credentials" if current == "AUTH" else None
    with Server(rule, features=TLS, context=context).running() as server:
        error = refused(with_login(server, f"ca={file}"))
    assert (error.reason, error.code) == (Reason.AUTH, 535)
    assert PASSWORD not in str(error)


@pytest.mark.parametrize(("trusted", "answer"), [(False, None), (True, b"535 5.7.8 bad credentials")])
def test_messages_are_untried_when_the_certificate_or_the_credentials_are_refused(
    certificate: Certificate, trusted: bool, answer: Answer
) -> None:
    context, file = certificate
    rule = lambda current, _: answer if current == "AUTH" else None
    with Server(rule, features=TLS, context=context).running() as server:
        log = MemoryLog()
        client = transport(with_login(server, f"ca={file}" if trusted else ""))
        outcomes = client.send(messages(20), FROM, log)
        client.close()
    assert outcomes == dict.fromkeys(range(20), Untried("", str(client.failure)))  # no attempt is charged
    assert log.calls == []
    assert len(server.connected_at) == 3
    assert not any(command.startswith("MAIL") for command in server.commands)


def test_relay_is_unavailable_when_it_offers_no_known_auth_mechanism(certificate: Certificate) -> None:
    context, file = certificate
    with Server(features=(*PIPELINING, "STARTTLS", "AUTH GSSAPI"), context=context).running() as server:
        assert refused(with_login(server, f"ca={file}")).reason is Reason.AUTH


def test_credentials_are_not_sent_in_clear() -> None:
    with Server(features=(*PIPELINING, "AUTH PLAIN")).running() as server:
        assert refused(with_login(server)).reason is Reason.AUTH_UNSAFE
    assert not any(command.startswith("AUTH") for command in server.commands)


def test_credentials_are_sent_in_clear_on_this_machine_when_the_url_allows_it() -> None:
    with Server(features=(*PIPELINING, "AUTH PLAIN")).running() as server:
        client = transport(with_login(server, "auth=plaintext"))
        client.open()
        client.close()
    assert any(command.startswith("AUTH PLAIN") for command in server.commands)


@pytest.mark.parametrize(("option", "name"), [("?helo=send.cadencia.example", "send.cadencia.example"), ("", None)])
def test_ehlo_contains_the_name_of_the_url_or_of_this_host(option: str, name: str | None) -> None:
    with Server().running() as server:
        client = transport(server.url + option)
        client.open()
        client.close()
    own = socket.gethostname()
    assert server.visits[0].name == (name or (own if "." in own else "[127.0.0.1]"))
