"""Locks that the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import os
from pathlib import Path

from altcraft_balance.errors import ConfigurationError

__all__ = ["Lock", "is_locked"]


class Lock:
    """An exclusive lock on a file or folder.

    Args:
        path: the folder, or the file, which is made if it is not there.
        trouble: the sentence for when another process has it.

    Raises:
        ConfigurationError: another process has it.
    """

    def __init__(self, path: Path, trouble: str) -> None:
        self._path = path
        while True:
            self._descriptor = _open(path)
            if not _locked(self._descriptor):
                os.close(self._descriptor)
                raise ConfigurationError(trouble)
            if self._is_the_one_there():
                return
            os.close(self._descriptor)  # its owner removed it meanwhile

    def read(self) -> str:
        """What the file holds."""
        return os.pread(self._descriptor, 4096, 0).decode("utf-8", "replace")

    def note(self, text: str) -> None:
        """Make the file hold `text`, durably."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)
        os.fsync(self._descriptor)

    def let_go(self) -> None:
        """Let the lock go; the file stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_the_one_there(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))


def is_locked(path: Path) -> bool:
    """Whether a process has a lock on `path` now."""
    if not path.exists():
        return False
    descriptor = _open(path)
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    if path.is_dir():
        return os.open(path, os.O_RDONLY)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        raise ConfigurationError("a refresh needs a system with flock: Linux or macOS") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
