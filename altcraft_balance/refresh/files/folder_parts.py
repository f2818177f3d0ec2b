"""Parts on the disk: a folder grows out of sight, and gets its name when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import Claim
from altcraft_balance.refresh.files.parquet_parts import (
    KEPT,
    PASSING,
    SUCCESS,
    PartFormat,
    check_parts,
    part_name,
    part_names,
)
from altcraft_balance.refresh.files.patience import Patience
from altcraft_balance.refresh.port import Opening
from altcraft_balance.refresh.state import disk

__all__ = ["FolderParts"]


class FolderParts:
    """Parts in the folder ``PATH.partial``, which becomes ``PATH``, or is joined into it.

    Args:
        path: the output's name.
        is_folder: whether the parts are kept.
        overwrite: whether what is there already is replaced, at the end.

    Attributes:
        compression: how a part is packed.
        patience: how long the parts may take to be joined.
    """

    def __init__(self, path: Path, *, is_folder: bool, overwrite: bool) -> None:
        self._path, self._is_folder, self._overwrite = path, is_folder, overwrite
        self.compression = KEPT if is_folder else PASSING
        self._claim: Claim | None = None
        self.patience = Patience()

    def open(self, opening: Opening, parts: int) -> None:
        """Claim the name, and drop all but the first `parts` parts."""
        self.patience = Patience()
        if self._path.is_dir() and not self._is_folder:
            raise ConfigurationError(
                f"{self._path} cannot be written: it is a folder; a name that ends in / makes one"
            )
        self._claim = Claim(self._path, opening, overwrite=self._overwrite)
        if not opening.is_whole and (parts or self._claim.partial.exists()):
            _go_on_in(self._claim.partial, parts)

    def begin(self) -> None:
        """The run is under way: its folder says so. One that cannot begin leaves none behind."""
        if self._claim is not None and not self._claim.partial.is_dir():
            _go_on_in(self._claim.partial, 0)

    def add(self, name: str, data: bytes) -> None:
        """Make the part `name` durable."""
        if self._claim is not None:
            with disk.writing(self._claim.partial):
                disk.save(self._claim.partial / name, data)

    def finish(self, parts: int, form: PartFormat) -> None:
        """Join the parts, if they are to be a file, and publish."""
        claim = self._claim
        if claim is None:
            return
        if claim.partial.is_dir() and not claim.whole.exists():
            if self._is_folder:
                self._complete(claim.partial, parts, form)
            else:
                _join(claim.partial, claim.whole, parts, form, self.patience)
        claim.publish()

    def close(self) -> None:
        """Let the claim go."""
        if self._claim is not None:
            self._claim.let_go()
            self._claim = None

    def discard(self) -> None:
        """Remove the parts."""
        if self._claim is not None:
            self._claim.discard()
            self._claim = None

    def _complete(self, folder: Path, parts: int, form: PartFormat) -> None:
        if not parts:  # a reader wants to know the columns
            self.add(part_name(0), form.encode([], self.compression))
        with disk.writing(folder):
            check_parts(_parts_in(folder), max(1, parts))
            disk.save(folder / SUCCESS, b"")


def _go_on_in(folder: Path, parts: int) -> None:
    kept = set(part_names(parts))
    with disk.writing(folder):
        disk.make_folder(folder)
        there = {entry.name for entry in folder.iterdir()}
        for name in sorted(there - kept):
            disk.remove(folder / name)
        check_parts(there & kept, parts)
        disk.sync_folder(folder)
        disk.sync_folder(folder.parent)


def _join(folder: Path, whole: Path, parts: int, form: PartFormat, patience: Patience) -> None:
    growing = folder / "whole.new"
    with disk.writing(folder):
        check_parts(_parts_in(folder), parts)
        descriptor = disk.append_to(growing, 0)
        try:
            for data in form.join(folder / name for name in part_names(parts)):
                patience.check()
                disk.write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        disk.publish(growing, whole)


def _parts_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("part-*.parquet")}
