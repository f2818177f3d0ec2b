"""Which files a run may use for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import check_folder_of, ours
from altcraft_balance.refresh.port import RowSink, RowSource
from altcraft_balance.refresh.rows.delta import Previous
from altcraft_balance.refresh.state.folder import STATE, usual_state

__all__ = ["check_paths", "read_by", "usual_state_of"]


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


def read_by(source: RowSource, previous: Previous | None) -> Mapping[str, Path | None]:
    """The files that a run reads, by what they are."""
    return {
        "the input": getattr(source, "path", None),
        "previous": getattr(previous, "path", None),
    }


def check_paths(
    read: Mapping[str, Path | None],
    sinks: Mapping[str, RowSink],
    kept: Mapping[str, Path | None],
) -> None:
    """Refuse at once what would only be refused when the source is known, minutes later.

    A run that replaced its own input could not go on after a crash: it would have another one. And
    what lies in an output is replaced with it, once the output is whole.

    Args:
        read: the files that are read, by what they are; None is no file of ours.
        sinks: what is written, by what it is for.
        kept: the folders that others write to while the run is under way.

    Raises:
        ConfigurationError: two are one file, one lies in another, or cannot be where it should.
    """
    for path in (*read.values(), *(sink.path for sink in sinks.values())):
        _check_name(path)
    written = {name: sink.path for name, sink in sinks.items() if sink.path is not None}
    _check_urls(sinks)
    files = dict(_given(read))
    for name, path in written.items():
        place = path.resolve()
        for other, file in files.items():
            if place.is_relative_to(file):
                raise ConfigurationError(f"{path} is {other}, or inside it: name another output")
        others = {**read, **kept, **{one: path for one, path in written.items() if one != name}}
        _check_taken(name, path, others)
        check_folder_of(path)


def _check_urls(sinks: Mapping[str, RowSink]) -> None:
    seen: dict[str, str] = {}
    for name, sink in sinks.items():
        if sink.url is not None and seen.setdefault(sink.url, name) != name:
            raise ConfigurationError(f"{name} and {seen[sink.url]} are the same: {sink.url}")


def _check_taken(name: str, output: Path, others: Mapping[str, Path | None]) -> None:
    """Nothing else may be where `output` is, or grows, or inside of it: it would be lost."""
    whole, *growing = (path.resolve() for path in (output, *ours(output)))
    for other, path in _given(others):
        if path == whole:
            raise ConfigurationError(f"{name} and {other} are the same file: {output}")
        if path.is_relative_to(whole):
            raise ConfigurationError(
                f"{other} is inside {output}, which {name} replaces as a whole: name another place"
            )
        if any(path.is_relative_to(one) for one in growing):
            raise ConfigurationError(
                f"{other} is where {output} grows: name another place for one of them"
            )


def _given(paths: Mapping[str, Path | None]) -> Iterator[tuple[str, Path]]:
    for name, path in paths.items():
        if path is not None:
            yield name, path.resolve()
