"""E-mail addresses: which ones are accepted, and the one way each is written."""

import re

import email_validator

from errors import InvalidInput

# The validator's messages may end in characters of the address, which must not come back in an error or a log.
_DETAIL = re.compile(r"\s*[:(].*", re.DOTALL)

# What nearly every address looks like, and what the validator takes as it is but for the domain's case: 1 µs instead
# of 55. Left to the validator: other characters, international domains, those that are special (RFC 6761).
_PLAIN = re.compile(
    r"(?P<local>[A-Za-z0-9_+'-]+(?:\.[A-Za-z0-9_+'-]+)*)@"
    r"(?P<domain>(?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?!(?i:arpa|invalid|local|localhost|onion|test)\Z)[A-Za-z]{2,63})"
)
_LOCAL_OCTETS_MAX, _ADDRESS_OCTETS_MAX = 64, 254  # RFC 5321, 4.5.3.1.1 and 4.5.3.1.3


def normalise(text: str, *, field: str = "to") -> str:
    """The address as it is stored and mailed: domain in lower case and IDNA, local part untouched but for NFC.

    Checks the syntax of RFC 5321 and RFC 6531 with their lengths, never the DNS. Domains reserved for examples and
    tests pass (RFC 2606). Raises InvalidInput for `field`; the message never holds a part of the address.
    """
    plain = _PLAIN.fullmatch(text)
    if plain and len(text) <= _ADDRESS_OCTETS_MAX and plain.end("local") <= _LOCAL_OCTETS_MAX:
        return f"{plain['local']}@{plain['domain'].lower()}"
    return _validated(text, field)


def _validated(text: str, field: str) -> str:
    try:
        checked = email_validator.validate_email(
            text,
            allow_smtputf8=True,
            check_deliverability=False,
            strict=True,
            test_environment=True,
        )
    except email_validator.EmailSyntaxError as error:
        cause = _DETAIL.sub("", str(error)).rstrip(".")
        raise InvalidInput.of(field, f"{cause}; give one address such as name@company.example") from None
    address = f"{checked.local_part}@{checked.ascii_domain}"
    if len(checked.local_part.encode()) > _LOCAL_OCTETS_MAX or len(address.encode()) > _ADDRESS_OCTETS_MAX:
        raise InvalidInput.of(field, "The email address is too long; give one address such as name@company.example")
    return address
