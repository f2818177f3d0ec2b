"""pyarrow, which only Parquet needs, and what it says of files that are not as they should be."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state import disk

__all__ = ["Content", "arrow_for", "sound"]


def arrow_for(name: str) -> Any:
    """pyarrow, with its submodules ``parquet`` and ``compute``, for the file `name`.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        for part in ("pyarrow.parquet", "pyarrow.compute"):
            importlib.import_module(part)
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        pass
    raise ConfigurationError(
        f"{name} needs the extra 'parquet': python -m pip install 'altcraft-balance[parquet]'"
    )


@contextmanager
def sound(arrow: Any, name: str) -> Iterator[None]:
    """Within it, a file of which pyarrow makes no sense is a ConfigurationError."""
    trouble = "its data is cut or damaged"
    with disk.readable(name):
        try:
            yield
            return
        except arrow.ArrowNotImplementedError:
            trouble = "it uses something that this pyarrow does not know"
        except Exception as error:
            if not _is_damage(arrow, error):
                raise
    raise ConfigurationError(f"{name} cannot be read: {trouble}")


def _is_damage(arrow: Any, error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno is None  # pyarrow's own; the system's have a number
    return isinstance(error, arrow.ArrowException | OverflowError | ValueError) and not isinstance(
        error, ConfigurationError | MemoryError
    )


class Content(io.RawIOBase):
    """What pyarrow writes to: it never meets the disk, nor the disk's errors."""

    def __init__(self) -> None:
        self._unwritten: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """How much was written, ever."""
        return self._size

    def write(self, data: Any) -> int:
        """Keep a copy of `data`."""
        self._unwritten.append(bytes(data))
        self._size += len(data)
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._unwritten)
        self._unwritten = []
        return data
