"""How far a run has come: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = ["Tell", "follow"]

#: Told how many are done so far, and anything else worth a few words.
Tell: TypeAlias = Callable[[int, str], None]
_REDRAW_EVERY_S: Final = 0.1
_LINE_EVERY_S: Final = 3.0


@contextmanager
def follow(
    console: Console, label: str, total: int, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Tell]:
    """Gives what to call after each of `total` items; it shows something now and then."""
    if console.is_terminal and not console.is_dumb_terminal:
        with _bar(console) as bar:
            task = bar.add_task(label, total=total, note="")

            def redraw(done: int, note: str) -> None:
                bar.update(task, completed=done, note=note, refresh=True)

            yield _now_and_then(redraw, total, _REDRAW_EVERY_S, clock)
        return

    def line(done: int, note: str) -> None:
        share = 100 * done // max(total, 1)
        console.print(
            f"{label.rstrip()}: {done:,} of {total:,} ({share} %), {note}", soft_wrap=True
        )

    yield _now_and_then(line, total, _LINE_EVERY_S, clock)


def _bar(console: Console) -> Progress:
    # No refreshing thread: what is followed may keep the processor to itself.
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=console,
        auto_refresh=False,
        expand=True,
    )


def _now_and_then(
    show: Callable[[int, str], None], total: int, every_s: float, clock: Callable[[], float]
) -> Tell:
    """`show`, once in `every_s` seconds and at the end."""
    due_s = clock() + every_s

    def tell(done: int, note: str) -> None:
        nonlocal due_s
        now_s = clock()
        if now_s >= due_s or done >= total:
            due_s = now_s + every_s
            show(done, note)

    return tell
