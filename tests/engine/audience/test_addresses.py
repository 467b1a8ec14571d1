"""Which addresses are accepted, and how they come out."""

import pytest

from engine.audience import addresses
from errors import InvalidInput


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Ana.Perez@Empresa.Example", "Ana.Perez@empresa.example"),
        ("ana+boletin@b.test", "ana+boletin@b.test"),
        ("ana@ñandú.example", "ana@xn--and-6ma2c.example"),
        ("a" * 64 + "@b.example", "a" * 64 + "@b.example"),
        ("o'neil@b.example", "o'neil@b.example"),
    ],
)
def test_normalise_gives_what_is_stored_when_the_address_is_good(given: str, stored: str) -> None:
    assert addresses.normalise(given) == stored


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ana",
        "ana@",
        "@b.example",
        "ana@b",
        "ana@@b.example",
        "ana b@c.example",
        " ana@b.example",
        "ana@b.example\n",
        "ana@b.example\r\nBcc: x@y.example",
        "ana@b.example, eva@c.example",
        "Ana <ana@b.example>",
        '"ana perez"@b.example',
        "ana@[192.0.2.1]",
        "ana@b..example",
        ".ana@b.example",
        "aña@b.example",
        "a" * 65 + "@b.example",
        "ana@" + ".".join(["b" * 60] * 5) + ".example",
        "ana\x00@b.example",
        "ana@\ud800.example",
        "ana@localhost",
    ],
)
def test_normalise_refuses_and_keeps_the_address_to_itself_when_it_is_bad(given: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        addresses.normalise(given, field="email")
    (fault,) = refused.value.faults
    assert fault.field == "email"
    assert "aña" not in str(refused.value)
    assert "b.example" not in fault.message.replace("name@company.example", "")
