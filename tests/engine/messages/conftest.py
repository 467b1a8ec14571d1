"""Fixtures of the templates' tests, used here as well."""

from tests.engine.templates.conftest import addresses, write

__all__ = ["addresses", "write"]
