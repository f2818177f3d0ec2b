"""The command line: ``altcraft-balance``, or ``python -m altcraft_balance``.

It needs the extra ``cli`` (typer and rich), which is imported only when a command is run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

__all__ = ["main", "program"]

_EXTRA: Final = frozenset({"typer", "rich", "click"})
_MISSING: Final = (
    "Error: the command line needs the extra 'cli': python -m pip install 'altcraft-balance[cli]'\n"
)
# From `exits`, which is not imported yet when these are needed.
_USAGE, _STOPPED = 2, 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code (see `exits`); nothing but a bug in here raises.

    Args:
        arguments: what stands after the command's name; by default the process's own.
    """
    try:
        from altcraft_balance.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(_MISSING)
        return _USAGE
    except KeyboardInterrupt:  # Ctrl-C while the imports went on
        return _STOPPED
    return run(arguments)


def program() -> NoReturn:
    """The whole program: `main`, and signals that keep to its exit codes from begin to end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, while imports go on
    code = main()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is done: what comes now would change the code
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process, whoever is still in a thread."""
    from altcraft_balance.cli.loops import is_held_up

    if is_held_up():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, full, or never there
                stream.flush()
        os._exit(code)
    sys.exit(code)
