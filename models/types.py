"""Column type of encrypted text."""

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from models import vault


class Encrypted(TypeDecorator[str]):
    """Text stored as a Fernet token; NULL stays NULL. Tokens of equal texts differ, so compare blind indexes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        return None if value is None else vault.current().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        return None if value is None else vault.current().decrypt(value)
