"""Standard input as a file: it can be read once, and a run reads its rows twice, or goes on.

It is called by its content, so that who is given the same again after a crash reads the same file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from attrs import define

from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.lock import Lock, is_locked

__all__ = ["Spool", "spooled"]

_CHUNK: Final = 1 << 18
_BUSY: Final = "another process is refreshing the same standard input"


@define(eq=False)
class Spool:
    """What was read.

    Attributes:
        path: the file that holds it.
        is_kept: whether it stays: a run that is not finished may go on with it.
    """

    path: Path
    is_kept: bool = False


@contextmanager
def spooled(stream: IO[bytes], state: Path | None) -> Iterator[Spool]:
    """Read `stream` to its end into a file in the folder `state`, which is ours until the end.

    Args:
        stream: what is read; it blocks.
        state: the folder of all runs' state, which is made; None: a run that cannot go on needs
            none, and a temporary folder does.

    Raises:
        ConfigurationError: another process has the same input at work.
        OSError: it cannot be written.
    """
    if state is None:
        with (
            tempfile.TemporaryDirectory(prefix="altcraft-balance-") as folder,
            _spooled(stream, Path(folder)) as spool,
        ):
            yield spool
        return
    with disk.writing(state):
        disk.make_folder(state)
    try:
        with _spooled(stream, state) as spool:
            yield spool
    finally:
        with suppress(OSError):  # others' state is there
            state.rmdir()


@contextmanager
def _spooled(stream: IO[bytes], folder: Path) -> Iterator[Spool]:
    path = _written(stream, folder)
    lock = Lock(path, _BUSY)
    spool = Spool(path)
    try:
        yield spool
    finally:
        if not spool.is_kept:
            disk.remove(path)
        lock.let_go()


def _written(stream: IO[bytes], folder: Path) -> Path:
    """Where the content lies; what is there already under its name is the same."""
    with disk.writing(folder):
        for abandoned in folder.glob("stdin-*.new"):
            if not is_locked(abandoned):  # its process was killed while it read
                disk.remove(abandoned)
        descriptor, name = tempfile.mkstemp(prefix="stdin-", suffix=".new", dir=folder)
        partial = Path(name)
        lock = Lock(partial, _BUSY)
        try:
            content = _copied(stream, descriptor)
            path = folder / f"stdin-{content}"
            if path.exists():
                disk.remove(partial)
            else:
                os.fsync(descriptor)
                disk.publish(partial, path)
        except BaseException:
            disk.remove(partial)
            raise
        finally:
            os.close(descriptor)
            lock.let_go()
    return path


def _copied(stream: IO[bytes], descriptor: int) -> str:
    content = hashlib.blake2b(digest_size=8)
    while data := stream.read(_CHUNK):
        content.update(data)
        disk.write_all(descriptor, data)
    return content.hexdigest()
