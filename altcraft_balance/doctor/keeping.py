"""Keeps what a probe was answered, as samples without secrets that a `Sandbox` answers like."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from altcraft_balance.codec.redacted import redacted_sample
from altcraft_balance.doctor.asking import Seen
from altcraft_balance.doctor.disguise import disguised
from altcraft_balance.errors import ConfigurationError, UnexpectedReply
from altcraft_balance.models import Balance
from altcraft_balance.private_file import write_private
from altcraft_balance.secret import HIDDEN

__all__ = ["Samples"]


class Samples:
    """A folder that is filled once; each case has a folder of its own there.

    Raises:
        ConfigurationError: it cannot be made, or has something in it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        trouble = ""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(self._folder.iterdir()):
                trouble = "it has something in it: name a new folder"
        except OSError as error:
            trouble = error.strerror or type(error).__name__
        if trouble:
            raise ConfigurationError(f"save: {self._folder} cannot be used: {trouble}")

    def keep(self, case: str, seen: Seen) -> None:
        """Write the reply of `seen` down; amounts become others of the same shape.

        Raises:
            OSError: the disk does not take it.
        """
        place = self._folder / case
        place.mkdir(mode=0o700)
        for name, content in _files(seen):
            write_private(place / name, content)


def _files(seen: Seen) -> Iterator[tuple[str, bytes]]:
    if seen.raw is None:
        return
    raw, result = seen.raw, seen.result
    error = UnexpectedReply("a balance") if isinstance(result, Balance) else result
    files = redacted_sample(seen.wire, raw.status, raw.headers, raw.body, error)
    if isinstance(result, Balance):
        files["body.bin"], amounts = _disguised(files["body.bin"])
        expected = {str(raw.status): amounts}
        files["expected.json"] = json.dumps(expected, indent=2).encode() + b"\n"
    yield from files.items()


def _disguised(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Whose balance it was shall not be seen; what cannot be disguised is not kept."""
    try:
        return disguised(body)
    except (ValueError, RecursionError):
        return HIDDEN.encode(), {}
