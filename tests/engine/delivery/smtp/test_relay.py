"""A relay from a URL: its parts, the words about a wrong one, and the authority that it trusts."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.delivery import smtp
from engine.delivery.smtp import Reason
from errors import InvalidInput
from tests.engine.delivery.smtp.dialogue import PIPELINING
from tests.engine.delivery.smtp.senders_side import QUICK, transport
from tests.engine.delivery.smtp.servers import Server


def old_authority(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file of its authority, which has no key usage and no key identifiers."""
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("ca", "mx"))
    now = datetime.datetime.now(datetime.UTC)
    signed = [
        x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(extension, False)
        .sign(keys[0], hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        for name, key, extension in (
            (issuer, keys[0], x509.BasicConstraints(ca=True, path_length=None)),
            (subject, keys[1], x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])),
        )
    ]
    (folder / "ca.pem").write_bytes(signed[0])
    secret = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "mx.pem").write_bytes(signed[1] + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mx.pem")
    return context, folder / "ca.pem"


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://mx.example.com", "scheme"),
        ("mx.example.com:25", "scheme"),
        ("smtp://", "host"),
        ("smtp://mx.example.com:99999", "port"),
        ("smtp://mx.example.com:abc", "port"),
        ("smtp://ana:pa/ss@mx.example.com", "port"),
        ("smtp://mx.example.com/inbox", "path"),
        ("smtp://ana@mx.example.com", "user"),
        ("smtp://mx.example.com?starttls=maybe", "starttls"),
        ("smtp://mx.example.com?tls=1", "options"),
        ("smtp://ana:secret@mx.example.com?starttls=off", "starttls"),
        ("smtp://ana:secret@mx.example.com?auth=plaintext", "auth"),
        ("smtp://ana:secret@127.0.0.1?auth=cram", "auth"),
        ("smtp://mx.example.com?helo=a%20b", "helo"),
    ],
)
def test_url_error_names_the_wrong_part(url: str, part: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        smtp.Relay.from_url(url)
    assert [fault.field for fault in caught.value.faults] == [f"smtp_url.{part}"]
    assert "secret" not in str(caught.value)
    assert "pa/" not in str(caught.value)


def test_url_is_refused_when_its_ca_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"smtp_url\.ca"):
        transport(f"smtp://127.0.0.1:25?ca={tmp_path / 'missing.pem'}")


@pytest.mark.parametrize("password", ["s3#cret", "s3#cr@t", "s3/cret", "s3?cret", "s3[cret"])
def test_a_password_with_a_delimiter_gets_a_hint_at_percent_encoding(password: str) -> None:
    with pytest.raises(InvalidInput, match="in a user or password write % as %25, # as %23") as caught:
        smtp.Relay.from_url(f"smtp://ana:{password}@mx.example.com:587")
    assert "s3" not in str(caught.value)
    quoted = smtp.Relay.from_url(f"smtp://ana:{quote(password, safe='')}@mx.example.com:587")
    assert (quoted.host, quoted.password) == ("mx.example.com", password)


def test_an_authority_without_key_usage_is_accepted_if_the_url_names_it(tmp_path: Path) -> None:
    """Python 3.13 refuses it by default."""
    context, file = old_authority(tmp_path)
    with Server(features=(*PIPELINING, "STARTTLS"), context=context).running() as server:
        client = transport(f"{server.url}?starttls=required&ca={file}")
        client.open()
        client.close()
        with pytest.raises(smtp.RelayUnavailable) as refused:
            transport(f"{server.url}?starttls=required", QUICK).open()
    assert refused.value.reason is Reason.CERTIFICATE


def test_relay_from_a_url_hides_its_password() -> None:
    relay = smtp.Relay.from_url("smtp://ana:s3cr%3At@mx.example.com")
    assert (relay.host, relay.port, relay.user, relay.password) == ("mx.example.com", 587, "ana", "s3cr:t")
    assert relay.starttls == "required"
    assert "s3cr" not in repr(relay)
    assert smtp.Relay.from_url("smtps://mx.example.com").port == 465
    assert smtp.Relay.from_url("lmtp://[::1]:2424").host == "::1"
    assert smtp.Relay.from_url("smtp://127.0.0.1:2525").starttls == "optional"
