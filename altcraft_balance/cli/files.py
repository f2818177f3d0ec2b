"""Files as sources and sinks, as their names say which they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from altcraft_balance.cli.refresh_options import Told
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.compression import format_suffix
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.files.json_lines import JsonLinesSink, JsonLinesSource
from altcraft_balance.refresh.files.lake_url import LakeUrl, is_url, local_path
from altcraft_balance.refresh.port import RowSink, RowSource

__all__ = ["STANDARD", "Files", "check_distinct", "previous_source"]

#: What stands for standard input and standard output.
STANDARD: Final = "-"
_FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_TEXT: Final = ("csv", "tsv")
_DELIMITERS: Final = {"csv": None, "tsv": "\t"}
_ESCAPES: Final = {r"\t": "\t", "tab": "\t"}


@frozen
class Files:
    """What is read and what is written; nothing of it is opened yet.

    Attributes:
        told: what the command was told.
        input_format: one of ``csv``, ``tsv``, ``jsonl``, ``parquet``; None: the input is no file.
        sink: the output, if it is a file.
        errors_to: where the rows without an answer go, if anywhere.
        changes_to: where the rows with other amounts than before go, if anywhere.
    """

    told: Told
    input_format: str | None
    sink: RowSink | None
    errors_to: RowSink | None
    changes_to: RowSink | None

    @classmethod
    def of(cls, told: Told) -> Files:
        """The files that `told` speaks of.

        Raises:
            ConfigurationError: one is of a format that is not known, or two are the same.
        """
        told = _with_paths(told)
        if told.out is None and told.to_sql is None:
            raise ConfigurationError(
                "--out must say where the balances go: a file, or -; or --to-sql a table"
            )
        input_format = output_format = None
        if told.input is not None:
            input_format = _format_of(told.input, told.input_format, "--input-format")
        if told.out is not None:
            output_format = _format_of(told.out, told.output_format, "--output-format")
        _check_options(told, input_format, output_format)
        return cls(
            told,
            input_format,
            sink=_sink(told.out, output_format, told),
            errors_to=_other_sink("--errors-to", told.errors_to, told, like_input=True),
            changes_to=_other_sink("--changes-to", told.changes_to, told),
        )

    @property
    def reads_standard_input(self) -> bool:
        """Whether rows come from standard input."""
        return self.told.input == STANDARD

    @property
    def writes_standard_output(self) -> bool:
        """Whether the output goes to standard output."""
        return self.told.out == STANDARD

    def source(self, spool: Path | None) -> RowSource:
        """What is read: `spool` in the place of standard input."""
        told, path = self.told, spool or Path(self.told.input or "")
        if self.input_format == "parquet":
            from altcraft_balance.refresh.files.parquet_source import ParquetSource

            return ParquetSource(path)
        source: CsvSource | JsonLinesSource
        if self.input_format == "jsonl":
            source = JsonLinesSource(path)
        else:
            source = CsvSource(
                path,
                delimiter=_delimiter(told, self.input_format or "csv"),
                encoding=told.encoding or "utf-8",
                header=not told.no_header,
            )
        if spool is not None:
            source.name = "standard input"
        return source


def previous_source(path: str) -> RowSource:
    """An earlier output, as a source: what its name says it is, in the way that we write it.

    Raises:
        ConfigurationError: its name does not say.
    """
    path = local_path(path)
    if path == STANDARD or is_url(path):
        raise ConfigurationError("--previous must name a file on this machine")
    kind = _format_of(path, None, "--previous a name that ends so")
    if kind == "parquet":
        from altcraft_balance.refresh.files.parquet_source import ParquetSource

        return ParquetSource(path)
    if kind == "jsonl":
        return JsonLinesSource(path)
    return CsvSource(path, delimiter=_DELIMITERS[kind] or ",")


def _with_paths(told: Told) -> Told:
    """`told` with paths in the place of ``file:///`` URLs."""
    names = ("input", "out", "errors_to", "changes_to")
    given = {name: getattr(told, name) for name in names}
    paths: dict[str, Any] = {name: path and local_path(path) for name, path in given.items()}
    return evolve(told, **paths)


def _format_of(path: str, given: str | None, option: str) -> str:
    if given is not None:
        if given not in _FORMATS.values():
            raise ConfigurationError(f"{option} must be csv, tsv, jsonl or parquet, not {given!r}")
    elif path == STANDARD:
        given = "csv"
    elif is_url(path) or path.endswith("/") or Path(path).is_dir():
        given = "parquet"
    else:
        given = _FORMATS.get(format_suffix(Path(path)))
    if given is None:
        raise ConfigurationError(
            f"{path} ends in none of {', '.join(_FORMATS)} (.gz or .zst may follow): give {option}"
        )
    if given == "parquet" and path == STANDARD:
        raise ConfigurationError("Parquet is read from a file, and written to one: name it")
    return given


def _other_sink(
    option: str, path: str | None, told: Told, *, like_input: bool = False
) -> RowSink | None:
    if path is None:
        return None
    kind = _format_of(path, None, f"{option} a name that ends so")
    return _sink(path, kind, told, like_input=like_input)


def _sink(
    path: str | None, kind: str | None, told: Told, *, like_input: bool = False
) -> RowSink | None:
    if path is None or kind is None:
        return None
    if is_url(path) and kind != "parquet":
        raise ConfigurationError(f"an object store gets Parquet, not {kind}: leave its format out")
    if kind == "parquet":
        if format_suffix(Path(path)) != Path(path).suffix.lower():
            raise ConfigurationError(f"{path}: Parquet is compressed inside, so name it .parquet")
        from altcraft_balance.refresh.files.parquet_sink import ParquetSink

        scale = {} if told.amount_scale is None else {"amount_scale": told.amount_scale}
        return ParquetSink(path, overwrite=told.overwrite, **scale)
    if kind == "jsonl":
        return JsonLinesSink(path, overwrite=told.overwrite)
    if not like_input:
        return CsvSink(path, delimiter=_DELIMITERS[kind] or ",", overwrite=told.overwrite)
    return CsvSink(
        path,
        delimiter=_delimiter(told, kind) or ",",
        encoding=told.encoding or "utf-8",
        header=not told.no_header,
        overwrite=told.overwrite,
    )


def _delimiter(told: Told, kind: str) -> str | None:
    given = told.delimiter
    return _DELIMITERS[kind] if given is None else _ESCAPES.get(given, given)


def _check_options(told: Told, input_format: str | None, output_format: str | None) -> None:
    """Refuse what would have no effect: whoever gives it expects one."""
    if told.input_format is not None and told.from_sql is not None:
        raise ConfigurationError("--input-format is for INPUT, and --from-sql takes its place")
    if told.output_format is not None and told.out is None:
        raise ConfigurationError("--output-format is for --out, which is not given")
    of_text = {
        "--delimiter": told.delimiter is not None,
        "--encoding": told.encoding is not None,
        "--no-header": told.no_header,
    }
    given = [option for option, is_given in of_text.items() if is_given]
    if given and input_format not in _TEXT:
        raise ConfigurationError(f"{given[0]} is for CSV and TSV, and the input is neither")
    if told.amount_scale is not None and output_format != "parquet":
        raise ConfigurationError("--amount-scale is for Parquet: other formats keep all digits")


def check_distinct(told: Told) -> None:
    """No file may be written twice, or read and written.

    Raises:
        ConfigurationError: two are the same, or a URL is not what can stand there.
    """
    named = {"INPUT": told.input, "--out": told.out}
    named |= {"--errors-to": told.errors_to, "--changes-to": told.changes_to}
    named |= {"--previous": told.previous, "--summary": told.summary}
    seen: dict[Path, str] = {}
    for name, path in named.items():
        if not path or (path == STANDARD and name == "INPUT"):
            continue
        path = _place(name, path)
        # Standard output is no file that anything else could be.
        there = Path(path) if path == STANDARD else Path(path).resolve()
        if there in seen:
            raise ConfigurationError(f"{seen[there]} and {name} are the same: {path}")
        seen[there] = name


def _place(name: str, path: str) -> str:
    """What `path` names, as it may be shown."""
    path = local_path(path)
    if not is_url(path):
        return path
    if name in {"INPUT", "--previous", "--summary"}:
        raise ConfigurationError(f"{name} must be on this machine: a URL is for the output")
    return LakeUrl.of(path).shown
