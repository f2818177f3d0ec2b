"""Locks that the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["Lock", "is_locked"]

_TRIES: Final = 5
_PAUSE_S: Final = 0.02


class Lock:
    """An exclusive lock on a file or folder.

    Args:
        path: the file, which is made if it is not there, or the folder.
        trouble: the sentence for when another process has it.
        is_folder: whether it is a folder.

    Raises:
        ConfigurationError: another process has it.
        FileNotFoundError: the folder is not there, any more perhaps.
    """

    def __init__(self, path: Path, trouble: str, *, is_folder: bool = False) -> None:
        self.path = path
        _flock()
        # Asked for, not looked up: a folder that goes meanwhile must not come back as a file.
        flags = os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT
        while True:
            self._descriptor = os.open(path, flags, 0o600)
            if not _locked_soon(self._descriptor):
                os.close(self._descriptor)
                raise ConfigurationError(trouble)
            if self.is_there():
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

    def is_there(self) -> bool:
        """Whether what is locked is still what its path names."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))


def is_locked(path: Path) -> bool:
    """Whether a process has a lock on `path` now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _locked(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _locked_soon(descriptor: int) -> bool:
    # Who only looks, for `status` say, has it for a moment.
    for _ in range(_TRIES):
        if _locked(descriptor):
            return True
        time.sleep(_PAUSE_S)
    return False


def _flock() -> Any:
    try:
        import fcntl
    except ImportError:
        raise ConfigurationError("a refresh needs a system with flock: Linux or macOS") from None
    return fcntl


def _locked(descriptor: int, *, shared: bool = False) -> bool:
    fcntl = _flock()
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
