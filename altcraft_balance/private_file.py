"""A new file for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["write_private"]

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_AS_IT_IS: Final = getattr(os, "O_BINARY", 0)  # on Windows, which would change ends of lines


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to `path`, with mode 0600.

    Raises:
        FileExistsError: it is there already.
        OSError: the disk does not take it.
    """
    with os.fdopen(os.open(path, _FLAGS | _AS_IT_IS, 0o600), "wb") as file:
        file.write(content)
