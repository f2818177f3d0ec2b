"""gzip and zstd, by the file's name: readers of whole files, and writers of blocks.

A block is a gzip member or a zstd frame of its own, so that a file can grow durably, block after
block, and what follows the last one can be cut off. The members' times are 0: the same rows give
the same bytes.
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

from altcraft_balance.errors import ConfigurationError

__all__ = ["Pack", "format_suffix", "is_damage", "packer_of", "unpacked"]

Pack: TypeAlias = Callable[[bytes], bytes]
_LEVEL: Final = 6
_COMPRESSED: Final = frozenset({".gz", ".zst"})


def format_suffix(path: Path) -> str:
    """``.csv`` of ``members.csv`` and of ``members.csv.gz``, in small letters."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSED else suffix


def packer_of(path: Path) -> Pack | None:
    """What makes a block of bytes one of the file's, as its name has it; None: as it is."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return lambda data: gzip.compress(data, _LEVEL, mtime=0)
    if suffix == ".zst":
        return cast(Pack, _zstd(path).compress)
    return None


def unpacked(file: IO[bytes], path: Path) -> IO[bytes]:
    """A reader of what `file` holds, unpacked as the name `path` has it."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    if suffix == ".zst":
        return cast(IO[bytes], _zstd(path).ZstdFile(file))
    return file


def is_damage(error: Exception) -> bool:
    """Whether a reader of `unpacked` says with `error` that its data is cut or damaged."""
    # zstd's own class is in a module that may not be there.
    damaged = isinstance(error, EOFError | gzip.BadGzipFile | zlib.error)
    return damaged or type(error).__name__ == "ZstdError"


def _zstd(path: Path) -> Any:
    for name in ("compression.zstd", "backports.zstd"):  # the first from Python 3.14 on
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise ConfigurationError(
        f"{path.name} needs the extra 'zstd': python -m pip install 'altcraft-balance[zstd]'"
    )
