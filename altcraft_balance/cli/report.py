"""``altcraft-balance report``: a page for people, from the summary of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from altcraft_balance.cli.exits import CannotWrite
from altcraft_balance.cli.show import harmless, screen
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.report.drawing import check_extra
from altcraft_balance.refresh.report.page import report_page
from altcraft_balance.refresh.report.reading import read_summary
from altcraft_balance.refresh.state import disk

__all__ = ["report"]


def report(
    summary: Annotated[
        str,
        typer.Argument(metavar="SUMMARY", help="The file that refresh --summary wrote."),
    ],
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE.html", help="The page; what is there is replaced."),
    ],
) -> None:
    """Make a page of a run's summary: what came of it, and where its time went."""
    check_extra()
    source, target = Path(summary), Path(out)
    _check(source, target)
    with disk.readable(summary):
        text = source.read_bytes()
    _write(target, report_page(read_summary(text, summary)))
    screen().print(harmless(f"The report is in {out}."), soft_wrap=True)


def _check(source: Path, target: Path) -> None:
    if target.is_dir():
        raise ConfigurationError(f"--out {target} is a folder: give it a file's name")
    if not target.parent.is_dir():
        raise ConfigurationError(f"--out {target} cannot be written: there is no such folder")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigurationError(f"SUMMARY and --out are the same: {target}")


def _write(path: Path, page: str) -> None:
    trouble = ""
    try:
        with disk.writing(path, "see to it, and run the same command again"):
            disk.save(path, page.encode())
            return
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    raise CannotWrite(trouble)
