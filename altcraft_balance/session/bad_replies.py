"""Replies that nobody expects, kept for a bug report: without secrets, few, and off the loop."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from altcraft_balance.codec.redacted import redacted_sample
from altcraft_balance.codec.request import WireRequest
from altcraft_balance.errors import (
    AltcraftBalanceError,
    ConfigurationError,
    HttpStatusError,
    UnexpectedReply,
)
from altcraft_balance.private_file import write_private
from altcraft_balance.transport.port import RawReply

__all__ = ["BadReplies"]

_MOST: Final = 100
_MOST_ALIKE: Final = 10  # an outage's pages may not take the place of what comes after it


class BadReplies:
    """Keeps up to a hundred replies in `folder`, each in a folder of its own.

    They are numbered, and those that lie there already count. No trouble with the disk is a
    lookup's: it is logged once, and no more is kept.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._given, self._alike = 0, Counter[tuple[int, str]]()
        self._number, self._ended = 1, False
        self._writer: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Make the folder, if it is not there.

        Raises:
            ConfigurationError: it cannot be one, or cannot be written.
        """
        if trouble := await asyncio.to_thread(self._trouble):
            raise ConfigurationError(f"save_bad must be a folder to write to: {trouble}")

    async def aclose(self) -> None:
        """Wait until all that was given is written."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.shutdown)

    def look(self, wire: WireRequest, raw: RawReply, error: AltcraftBalanceError) -> None:
        """Have the reply to `wire` kept if it ended as one that is not the documented envelope."""
        if self._ended or not isinstance(error, UnexpectedReply | HttpStatusError):
            return
        alike = raw.status, str(error).partition(" (")[0]
        if self._given >= _MOST or self._alike[alike] >= _MOST_ALIKE:
            return
        self._given += 1
        self._alike[alike] += 1
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, "altcraft-balance-save-bad")
        self._writer.submit(self._keep, wire, raw, error)

    # ── in the thread ────────────────────────────────────────────────────────────────────────

    def _trouble(self) -> str:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            return f"{self._folder} is a file"
        except OSError as error:
            return f"{self._folder}: {error.strerror}"
        is_open = os.access(self._folder, os.W_OK | os.X_OK)
        return "" if is_open else f"{self._folder}: {os.strerror(errno.EACCES)}"

    def _keep(self, wire: WireRequest, raw: RawReply, error: AltcraftBalanceError) -> None:
        if self._ended:
            return
        files = redacted_sample(wire, raw.status, raw.headers, raw.body, error)
        place = None
        try:
            if (place := self._place()) is None:
                return
            for name, content in files.items():
                write_private(place / name, content)
        except OSError as trouble:
            self._ended = True
            logging.getLogger("altcraft_balance").warning(
                "an unexpected reply could not be kept in %s, and no more will be: %s",
                self._folder,
                trouble.strerror,
            )
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)

    def _place(self) -> Path | None:
        """A folder of its own; None: there are enough. Another process may be at it as well."""
        while self._number <= _MOST:
            place = self._folder / f"bad-{self._number:03d}"
            self._number += 1
            try:
                place.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return place
        self._ended = True
        return None
