"""The fixtures of the tests of templates."""

from tests.engine.templates.conftest import addresses, write

__all__ = ["addresses", "write"]
