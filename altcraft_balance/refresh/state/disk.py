"""The few things that are done to files, each of which may be the last before a crash.

Whoever reads a run's files after a crash relies on this: what `sync` was called for is there, a
`publish` has happened wholly or not at all, and nothing is readable for others.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from altcraft_balance.errors import ConfigurationError

__all__ = [
    "append_to",
    "make_folder",
    "publish",
    "readable",
    "remove",
    "save",
    "sync_folder",
    "write_all",
    "writing",
]

_PRIVATE: Final = 0o600
_RESUMES: Final = "nothing is lost: see to it, and run the same command again"


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Within it, what the system has against reading the file `name` is a ConfigurationError."""
    trouble = ""
    try:
        yield
        return
    except OSError as error:
        trouble = (error.strerror or type(error).__name__).lower()
    raise ConfigurationError(f"{name} cannot be read: {trouble}")


@contextmanager
def writing(path: Path, advice: str = _RESUMES) -> Iterator[None]:
    """Within it, a system that cannot write is an OSError with a sentence, which ends in `advice`.

    SQLite's own errors come here too: they are the disk's, or the file's.
    """
    try:
        yield
        return
    except OSError as error:
        number, trouble = error.errno or errno.EIO, error.strerror or type(error).__name__
    except sqlite3.Error as error:
        number = errno.ENOSPC if "full" in str(error) else errno.EIO
        trouble = str(error)
    raise OSError(number, f"{path} cannot be written: {trouble.lower()}; {advice}")


def make_folder(path: Path) -> None:
    """Make the folder `path` durably, for its owner alone, with those above it."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


def append_to(path: Path, size: int) -> int:
    """A descriptor that appends to `path` after its first `size` bytes; the rest is cut off.

    Raises:
        OSError: it cannot be opened, or is shorter than that.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _PRIVATE)
    try:
        there = os.fstat(descriptor).st_size
        if there < size:
            raise OSError(errno.EIO, f"it has {there:,} bytes where {size:,} were written")
        os.ftruncate(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Make it durable which files the folder `path` has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(partial: Path, path: Path) -> None:
    """Give what is whole and durable in `partial` the name `path`."""
    os.replace(partial, path)  # noqa: PTH105 - tests crash before and after calls of os
    sync_folder(path.parent)


def save(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, wholly or not at all."""
    partial = path.with_name(f"{path.name}.new")
    descriptor = append_to(partial, 0)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    publish(partial, path)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            os.unlink(path)  # noqa: PTH108
