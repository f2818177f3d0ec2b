r"""What people see: consoles that interpret nothing, and text made harmless before it is shown.

A server's text may hold escape codes that move a terminal's cursor, and ``[bold red]``, which
rich would obey. So every console here has markup switched off, and whatever is not printable is
shown as its escape (``\x1b``).
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = [
    "Screen",
    "asks_on_terminal",
    "harmless",
    "rows",
    "say_error",
    "screen",
    "show_json",
    "silence",
    "tolerate_encodings",
]


class Screen(Console):
    """A console on stdout or stderr that outlives its reader (``| head -1``)."""

    def on_broken_pipe(self) -> None:
        """The reader has had enough: say no more, and let the command end as it would."""
        self.quiet = True
        silence(sys.stderr if self.stderr else sys.stdout)


def screen(*, stderr: bool = False) -> Screen:
    """A console that takes every text as it is."""
    return Screen(stderr=stderr, markup=False, emoji=False, highlight=False)


def asks_on_terminal() -> bool:
    """Whether somebody can be asked on standard input, which may be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def silence(stream: TextIO) -> None:
    """Send what is still in its buffer nowhere, or the interpreter would fail at its end."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())


def tolerate_encodings() -> None:
    """Show characters that stdout's encoding lacks as escapes; stderr does so already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def harmless(text: str) -> str:
    """`text` on one line, with every character that is not printable as its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def say_error(sentence: str) -> None:
    """One line on stderr."""
    line = Text("Error: ", style="bold red")
    line.append(harmless(sentence), style="not bold default")
    screen(stderr=True).print(line, soft_wrap=True)


def show_json(value: Mapping[str, Any]) -> None:
    """One line of ASCII JSON on stdout, so that nothing in it can reach a terminal as a code."""
    screen().out(json.dumps(value))


def rows(pairs: Iterable[tuple[str, str]], *, boxed: bool = False) -> Table:
    """A table of names and values."""
    table = Table(
        show_header=False,
        box=box.ROUNDED if boxed else None,
        padding=(0, 1) if boxed else (0, 2, 0, 0),
        border_style="dim",
    )
    table.add_column(style="dim" if not boxed else "")
    table.add_column(style="bold" if boxed else "", overflow="fold")
    for name, value in pairs:
        table.add_row(harmless(name), harmless(value))
    return table
