"""A folder in an object store, by pyarrow's file systems: few calls, each whole or not at all.

There is no rename that others see as one step, no lock and no append; but an object appears only
when all of it is there. Passing troubles are tried again by each store's own library: a store that
refuses connections is given up after some seconds, and one that says nothing after two minutes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.lake_trouble import first_line, trouble_of
from altcraft_balance.refresh.files.lake_url import LakeUrl
from altcraft_balance.refresh.files.patience import Patience

__all__ = ["Lake"]

_AT_ONCE: Final = 8


class Lake:
    """The folder `url`; nothing is asked of the store before `connect`."""

    def __init__(self, arrow: Any, url: LakeUrl) -> None:
        self.name = url.shown
        self._arrow, self._url = arrow, url
        self._fs: Any = None
        self._store: Any = None
        self._root = ""

    def connect(self) -> None:
        """Find out how the store is spoken to, and where the folder is.

        Raises:
            ConfigurationError: pyarrow makes nothing of the URL.
            OSError: it lacks what it needs for it, or cannot find the store.
        """
        trouble = ""
        with self.explained():
            self._fs = importlib.import_module("pyarrow.fs")
            try:
                self._store, root = self._fs.FileSystem.from_uri(self._url.full)
                self._root = root.rstrip("/")
                return
            except ValueError as error:
                trouble = first_line(error)
        raise ConfigurationError(f"{self.name} cannot be used: {trouble}")

    def names(self, folder: str = "") -> dict[str, bool]:
        """What lies in the folder, or in `folder` in it; with whether it is a folder itself."""
        where = self._fs.FileSelector(self._path(folder), allow_not_found=True)
        with self.explained():
            found = self._store.get_file_info(where)
        return {info.base_name: info.type == self._fs.FileType.Directory for info in found}

    def read(self, name: str) -> bytes | None:
        """What the object holds; None when it is not there."""
        with self.explained():
            try:
                with self._store.open_input_stream(self._path(name)) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

    def put(self, name: str, data: bytes) -> None:
        """Make the object hold `data`."""
        with self.explained(), self._store.open_output_stream(self._path(name)) as file:
            file.write(data)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, those that are there."""
        self._each(self._remove, names)

    def remove_folder(self, name: str) -> None:
        """Remove a folder that is there, with all that it holds."""
        with self.explained():
            self._store.delete_dir(self._path(name))

    def move(self, names: Iterable[str], folder: str, patience: Patience) -> None:
        """Move objects out of `folder`; the store copies them itself.

        Raises:
            Interrupted: patience is over, and some are not moved.
        """

        def move(name: str) -> None:
            patience.check()
            self._move(f"{folder}/{name}", name)

        self._each(move, names)

    def _remove(self, name: str) -> None:
        with self.explained(), suppress(FileNotFoundError):
            self._store.delete_file(self._path(name))

    def _move(self, there: str, here: str) -> None:
        self._copy(there, here)
        self._remove(there)

    def _copy(self, there: str, here: str) -> None:
        with self.explained():
            self._store.copy_file(self._path(there), self._path(here))

    def _each(self, do: Any, names: Iterable[str]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for _ in threads.map(do, sorted(names)):
                pass

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Within it, whatever pyarrow has against it is one sentence.

        Raises:
            ConfigurationError: it will never do.
            OSError: it may pass.
        """
        trouble: Exception | None = None
        try:
            yield
            return
        except (self._arrow.ArrowException, OSError) as error:
            trouble = trouble_of(self.name, error)
        raise trouble
