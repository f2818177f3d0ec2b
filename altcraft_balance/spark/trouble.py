"""Our own errors out of Spark's: it hands on what a Python worker raised as a traceback's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from altcraft_balance import errors
from altcraft_balance.errors import AltcraftBalanceError, ApiError

__all__ = ["told_plainly"]

_OURS: Final = re.compile(r"\baltcraft_balance\.errors\.(\w+): ([^\r\n]+)")
_NOT_THERE: Final = re.compile(r"\[(PATH_NOT_FOUND|UNABLE_TO_INFER_SCHEMA)[^\r\n]*")


@contextmanager
def told_plainly() -> Iterator[None]:
    """Within it, what Spark raises because of an error of ours is that error, in one sentence.

    Raises:
        AltcraftBalanceError: by its class; of its fields only the code is known.
    """
    error: Exception
    try:
        yield
        return
    except Exception as theirs:
        ours = _ours(str(theirs))
        if ours is None:
            raise
        error = ours
    raise error


def _ours(text: str) -> AltcraftBalanceError | None:
    found = _OURS.search(text)
    if found is not None:
        return _made(getattr(errors, found[1], AltcraftBalanceError), found[2].strip())
    if (missing := _NOT_THERE.search(text)) is not None:
        return errors.ConfigurationError(f"the source cannot be read: {missing[0]}")
    return None


def _made(kind: Any, sentence: str) -> AltcraftBalanceError:
    if not (isinstance(kind, type) and issubclass(kind, AltcraftBalanceError)):
        return AltcraftBalanceError(sentence)
    if issubclass(kind, ApiError):
        code = re.search(r"error (\d+)", sentence)
        return kind(sentence, code=int(code[1]) if code else 0)
    try:
        return kind(sentence)
    except TypeError:
        return AltcraftBalanceError(sentence)
