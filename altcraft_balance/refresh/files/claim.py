"""One output belongs to one run: ``OUT.lock`` says to which, and is locked while it goes on.

It grows as ``OUT.partial``, a file or a folder. What grew as a folder and shall be a file is
joined into ``OUT.partial.whole``; from then on the folder is of no use. A folder that replaces
another one takes it in until it has its name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import Opening
from altcraft_balance.refresh.state import disk
from altcraft_balance.refresh.state.lock import Lock

__all__ = ["Claim", "check_folder_of", "check_free", "ours", "owner_of", "partial_of"]


def owner_of(path: Path) -> str:
    """The run that an unfinished output belongs to; "" when there is none."""
    try:
        words = _lock_of(path).read_text("utf-8", "replace").split()
    except OSError:
        return ""
    return words[0] if words else ""


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def partial_of(path: Path) -> Path:
    """Where an output grows until it is whole."""
    return path.with_name(f"{path.name}.partial")


#: What a folder that is being replaced is called inside the new one: no reader looks there.
_REPLACED: Final = "_replaced"


class Claim:
    """An output of ours.

    Attributes:
        partial: where it grows.
        whole: what `partial`, then a folder, was joined into, and is durable; it need not be.

    Args:
        path: the output's name.
        opening: the run that wants it.
        overwrite: whether what is there already may be replaced at the end.

    Raises:
        ConfigurationError: it exists, another run has it, or an unfinished one had.
    """

    def __init__(self, path: Path, opening: Opening, *, overwrite: bool) -> None:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigurationError(f"{path} cannot be replaced: it is no file")
        if path.is_symlink():  # what it leads to is the file
            path = path.resolve()
        self.path, self.partial = path, partial_of(path)
        self.whole = _whole_of(self.partial)
        self._lock_path = _lock_of(path)
        self._overwrite = overwrite
        check_folder_of(path)
        with disk.writing(self._lock_path):
            self._lock = Lock(self._lock_path, f"{path} is being written by another run")
        try:
            with disk.writing(self._lock_path):
                self._take(opening)
        except BaseException:
            self.let_go()
            raise

    def publish(self) -> None:
        """What grew is whole: give it its name. Does nothing when that was done before."""
        with disk.writing(self.path):
            if self.whole.exists():
                disk.remove(self.partial)
                disk.publish(self.whole, self.partial)
            if self.partial.exists() or not self.path.exists():
                self._refuse_existing()
                self._set_aside()
                disk.publish(self.partial, self.path)
            if self.path.is_dir():
                disk.remove(self.path / _REPLACED)
        with disk.writing(self._lock_path):
            disk.remove(self._lock_path)

    def let_go(self) -> None:
        """Another process may have it; the claim stays for as long as there is a partial file."""
        try:
            # Once `publish` has removed it, another run may have made one of its own.
            if self._lock.is_there() and not self._has_grown():
                with disk.writing(self._lock_path):
                    disk.remove(self._lock_path)
        finally:
            self._lock.let_go()

    def discard(self) -> None:
        """What grew is worth nothing: remove it, and let go."""
        with disk.writing(self.partial):
            disk.remove(self.partial)
            disk.remove(self.whole)
        self.let_go()

    def _has_grown(self) -> bool:
        return self.partial.exists() or self.whole.exists()

    def _set_aside(self) -> None:
        # A folder cannot be renamed over another one.
        if self.partial.is_dir() and self.path.exists():
            disk.remove(self.partial / _REPLACED)
            disk.publish(self.path, self.partial / _REPLACED)

    def _put_back(self) -> None:
        replaced = self.partial / _REPLACED
        if self.partial.is_dir() and replaced.exists() and not self.path.exists():
            disk.publish(replaced, self.path)

    def _take(self, opening: Opening) -> None:
        if not opening.is_whole:
            self._put_back()
            self._refuse_existing()
        owner, ours = self._lock.read(), f"{opening.run_id} {opening.claim}".strip()
        if owner != ours and self._has_grown():
            if not opening.fresh:
                raise ConfigurationError(
                    f"{self.partial} belongs to {_named(owner, opening.run_id)}, or drop it with "
                    "fresh=True"
                )
            disk.remove(self.partial)
        if not opening.is_whole:
            disk.remove(self.whole)
        if owner != ours:
            self._lock.note(ours)

    def _refuse_existing(self) -> None:
        check_free(self.path, overwrite=self._overwrite)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse an output that is there already, unless it may be replaced.

    Raises:
        ConfigurationError: it is there.
    """
    if not overwrite and path.exists():
        raise ConfigurationError(
            f"{path} exists: name another output, or replace it at the end with overwrite=True"
        )


def ours(path: Path) -> tuple[Path, ...]:
    """The names beside an output that are used while it grows."""
    partial = partial_of(path)
    return partial, _whole_of(partial), _lock_of(path)


def _whole_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.whole")


def check_folder_of(path: Path) -> None:
    """Refuse a `path` that no file can have.

    Raises:
        ConfigurationError: its folder is not there, or not ours to write in.
    """
    folder = path.parent
    if not folder.is_dir():
        raise ConfigurationError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{path} cannot be written: permission denied")


def _named(owner: str, run_id: str) -> str:
    words = owner.split()
    if not words:
        return "a run that is not known here: move it away"
    if words[0] == run_id:
        return f"the run {run_id} as it was begun with a state that is not here: name its folder"
    return f"the unfinished run {words[0]}: repeat that run's command to go on with it"
