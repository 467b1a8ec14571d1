"""E-mail addresses: which ones are accepted, and the one way each is written."""

import re

import email_validator

from errors import InvalidInput

# The validator's messages may end in characters of the address, which must not come back in an error or a log.
_DETAIL = re.compile(r"\s*[:(].*", re.DOTALL)


def normalise(text: str, *, field: str = "to") -> str:
    """The address as it is stored and mailed: domain in lower case and IDNA, local part untouched.

    Checks the syntax of RFC 5321 with its lengths, never the DNS. Domains reserved for examples and tests pass
    (RFC 2606). Raises InvalidInput for `field`; the message never holds a part of the address.
    """
    try:
        checked = email_validator.validate_email(
            text,
            allow_smtputf8=False,  # no relay is asked for SMTPUTF8 (RFC 6531) yet
            check_deliverability=False,
            strict=True,
            test_environment=True,
        )
    except email_validator.EmailSyntaxError as error:
        cause = _DETAIL.sub("", str(error)).rstrip(".")
        raise InvalidInput.of(field, f"{cause}; give one address such as name@company.example") from None
    return checked.ascii_email or checked.normalized
