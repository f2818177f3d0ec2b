"""One output belongs to one run: ``OUT.lock`` says to which, and is locked while it goes on."""

from __future__ import annotations

import os
from pathlib import Path

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh import disk
from altcraft_balance.refresh.lock import Lock
from altcraft_balance.refresh.port import Opening

__all__ = ["Claim", "partial_of"]


def partial_of(path: Path) -> Path:
    """Where an output grows until it is whole."""
    return path.with_name(f"{path.name}.partial")


class Claim:
    """An output of ours.

    Args:
        path: the output's name.
        opening: the run that wants it.
        overwrite: whether what is there already may be replaced at the end.

    Raises:
        ConfigurationError: it exists, another run has it, or an unfinished one had.
    """

    def __init__(self, path: Path, opening: Opening, *, overwrite: bool) -> None:
        self.path, self.partial = path, partial_of(path)
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._overwrite = overwrite
        self._check_folder()
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
        if self.partial.exists() or not self.path.exists():
            self._refuse_existing()
            with disk.writing(self.path):
                disk.publish(self.partial, self.path)
        with disk.writing(self._lock_path):
            disk.remove(self._lock_path)

    def let_go(self) -> None:
        """Another process may have it; the claim stays for as long as there is a partial file."""
        try:
            # Once `publish` has removed it, another run may have made one of its own.
            if self._lock.is_there() and not self.partial.exists():
                with disk.writing(self._lock_path):
                    disk.remove(self._lock_path)
        finally:
            self._lock.let_go()

    def _check_folder(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise ConfigurationError(f"{self.path} cannot be written: there is no folder {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigurationError(f"{self.path} cannot be written: permission denied")

    def _take(self, opening: Opening) -> None:
        if not opening.is_whole:
            self._refuse_existing()
        owner = self._lock.read()
        if owner != opening.run_id and self.partial.exists():
            if not opening.fresh:
                raise ConfigurationError(
                    f"{self.partial} belongs to {_named(owner)}: repeat that run's command to go "
                    "on with it, or drop it with fresh=True"
                )
            disk.remove(self.partial)
        if owner != opening.run_id:
            self._lock.note(opening.run_id)

    def _refuse_existing(self) -> None:
        if self._overwrite or not self.path.exists():
            return
        raise ConfigurationError(
            f"{self.path} exists: name another output, or replace it at the end with overwrite=True"
        )


def _named(owner: str) -> str:
    return f"the unfinished run {owner}" if owner else "a run that is not known here"
