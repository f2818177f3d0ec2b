"""Which files a run may use for what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import check_folder_of, ours
from altcraft_balance.refresh.port import RowSink, RowSource
from altcraft_balance.refresh.state.folder import STATE, usual_state

__all__ = ["check_paths", "usual_state_of"]


def usual_state_of(sink: RowSink) -> Path | None:
    """Where a run's state lies that was told no place: beside the output, or at hand.

    None: an output that is nowhere cannot be taken up again.
    """
    if sink.path is not None:
        return usual_state(sink.path)
    return None if sink.url is None else Path.cwd() / STATE


def _check_name(path: Path | None) -> None:
    """A run's state and its summary name the file, in UTF-8."""
    try:
        str(path or "").encode()
        return
    except UnicodeEncodeError:
        pass  # said outside, where nothing hangs on to it
    raise ConfigurationError(f"the name of the file {str(path)!a} is not UTF-8: rename it")


def check_paths(source: RowSource, sinks: Mapping[str, RowSink | None]) -> None:
    """Refuse at once what would only be refused when the source is known, minutes later.

    A run that replaced its own input could not go on after a crash: it would have another one.

    Raises:
        ConfigurationError: two are one file, or an output cannot be where it should.
    """
    given: Path | None = getattr(source, "path", None)
    for path in (given, *(sink.path for sink in sinks.values() if sink is not None)):
        _check_name(path)
    read = None if given is None else given.resolve()
    written: dict[Path | str, str] = {}
    for name, sink in sinks.items():
        if sink is None:
            continue
        if sink.url is not None and written.setdefault(sink.url, name) != name:
            raise ConfigurationError(f"{name} and {written[sink.url]} are the same: {sink.url}")
        if sink.path is None:
            continue
        path = sink.path.resolve()
        if read is not None and (path.is_relative_to(read) or read in ours(path)):
            raise ConfigurationError(f"{sink.path} is the input, or inside it: name another output")
        if written.setdefault(path, name) != name:
            raise ConfigurationError(f"{name} and {written[path]} are the same file: {sink.path}")
        check_folder_of(sink.path)
