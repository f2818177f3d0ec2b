"""A sandbox for code that blocks."""

from tests.blocking.conftest import serve

__all__ = ["serve"]
