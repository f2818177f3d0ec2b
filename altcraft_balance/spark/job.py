"""`refresh_balances` on Spark: a run over many machines that goes on where it was.

Structured Streaming reads the source in micro-batches and keeps in its checkpoint which of them are
done. What comes of each is written over whatever an earlier try has left of it, so that a run that
was killed anywhere asks one micro-batch again at most, and no row is lost or doubled.
"""

# pyright: reportMissingImports=false
# Spark is 500 MB, and what checks types goes without.

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import frozen

from altcraft_balance.arrow import BalanceMapper, balance_mapper
from altcraft_balance.arrow.mapper import Keep
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.rows.cell_values import MemberBy
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.state.identity import question_of
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.secret import Secret
from altcraft_balance.settings import ClientSettings
from altcraft_balance.spark.facts import Facts, observed
from altcraft_balance.spark.trouble import told_plainly

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["Out", "refresh_balances"]

#: A folder, or what writes a micro-batch with a number, over what is there of that number.
Out: TypeAlias = str | Callable[["DataFrame", int], object]
_NONE: Final[Mapping[str, str]] = {}


def refresh_balances(
    spark: SparkSession,
    source: str | DataFrame,
    out: Out,
    checkpoint: str,
    *,
    settings: ClientSettings,
    by: MemberBy = "email",
    column: str | None = None,
    keep: Keep = (),
    files_per_batch: int = 1,
    tasks: int | None = None,
    source_format: str = "parquet",
    source_options: Mapping[str, str] = _NONE,
    out_format: str = "parquet",
    out_options: Mapping[str, str] = _NONE,
    max_failed: int | str = 0,
    **further: Any,
) -> RefreshSummary:
    """Look up the member of each row of `source`, and write a row for each to `out`.

    The same call goes on after whatever ended it: at most one micro-batch is asked again. When all
    is done it does nothing, but for files that are new: each night has a checkpoint, and an output,
    of its own.

    Args:
        spark: a session of classic Spark.
        source: a folder of files, or a streaming `DataFrame` of any source.
        out: a folder, in which ``batch=0``, ``batch=1`` and so on are written; or a callable that
            is given a `DataFrame` and its number, and writes it in the place of whatever an
            earlier try has written under this number, to a table say.
        checkpoint: a folder for what is done, in a file system that all machines share.
        settings: of the client that asks, on the executors. The token must be a reference,
            ``Secret.from_env(name)`` or ``Secret.from_file(path)``, which is looked up there. A
            `SharedRate` in its limits holds all of them to one rate: in Redis or PostgreSQL, or
            split over as many workers as `tasks`.
        by: how members are found, as for the other `refresh_balances`.
        column: the member's column; None: the one that is called like `by`.
        keep: names of columns that go through, with the types that they have in the source.
        files_per_batch: files of the source in a micro-batch. It is what is asked again at most,
            and each is a job of Spark's, which takes a second besides.
        tasks: into so many tasks each micro-batch is divided; None: as Spark reads it.
        source_format: what Spark calls it: ``parquet``, ``csv``, ``orc``, ``json``.
        source_options: for the reader.
        out_format: likewise of the output.
        out_options: for the writer.
        max_failed: how many may fail, or a share such as ``0.5%``. Far beyond it (1,000 rows, 1 %
            and ten times of it), the run stops after a micro-batch.
        further: of `balance_mapper`: ``currencies``, ``program_column``, ``currency_column``,
            ``prefix``, ``with_member``, ``amount_scale``, ``concurrency`` (of each task) and
            ``window_batches``.

    Returns:
        What came of it, of all calls with this checkpoint together. Look at its `state`. What is
        known of single rows alone is left out: percentiles, balances, lost time and examples.

    Raises:
        ConfigurationError: something that was asked for cannot be, or the checkpoint is of a run
            that asked another question; one sentence says what.
        AltcraftBalanceError: a fatal answer, such as a token that is refused. A task that Spark
            tries again asks once before all else, so this costs four requests for each task.
    """
    _check_whole("files_per_batch", files_per_batch)
    if tasks is not None:
        _check_whole("tasks", tasks)
    _check_token(settings)
    limit = MaxFailed.read(max_failed)
    rows = _stream(spark, source, source_format, source_options, files_per_batch)
    mapper = balance_mapper(
        settings,
        by=by,
        column=column,
        keep=_with_types(rows, keep),
        **further,
    )
    _check_columns(rows, mapper)
    facts = Facts(spark, checkpoint)
    facts.begin(_question(mapper, source, out))
    write = out if callable(out) else _Folder(out, out_format, dict(out_options)).write
    work = _Work(mapper, write, facts, limit, tasks)
    return _run(rows, work, checkpoint, source=_name_of(source), output=_shown(out))


@frozen
class _Folder:
    """Writes each micro-batch into a folder of its own."""

    path: str
    format: str
    options: dict[str, str]

    def write(self, rows: DataFrame, number: int) -> None:
        """In the place of whatever is there."""
        place = f"{self.path.rstrip('/')}/batch={number}"
        rows.write.format(self.format).options(**self.options).mode("overwrite").save(place)


class _Stop(Exception):
    """Too many have failed."""


class _Work:
    """What is done with each micro-batch, on the driver."""

    def __init__(
        self,
        mapper: BalanceMapper,
        write: Callable[[DataFrame, int], object],
        facts: Facts,
        limit: MaxFailed,
        tasks: int | None,
    ) -> None:
        from pyspark.sql.pandas.types import from_arrow_schema

        self.mapper, self._write, self.facts = mapper, write, facts
        self.limit, self._tasks = limit, tasks
        self._schema = from_arrow_schema(mapper.schema, prefer_timestamp_ntz=False)
        self.is_far_behind = False

    def __call__(self, rows: DataFrame, number: int) -> None:
        """Look up, write, and note what came of it."""
        began, at = time.monotonic(), datetime.now(UTC)
        if self._tasks is not None:
            rows = rows.repartition(self._tasks)
        asked = rows.mapInArrow(self.mapper, self._schema)
        observation, watched = observed(asked, self.mapper.asking.prefix)
        self._write(watched, number)
        self.facts.note(number, observation.get, began_at=at, seconds=time.monotonic() - began)
        failed, answered = self.facts.failed_of()
        if self.limit.is_far_behind(failed, answered):
            self.is_far_behind = True
            raise _Stop


def _run(
    rows: DataFrame, work: _Work, checkpoint: str, *, source: str, output: str
) -> RefreshSummary:
    started_at = datetime.now(UTC)
    query = (
        rows.writeStream.foreachBatch(work)
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start()
    )
    state = "finished"
    try:
        with told_plainly():
            query.awaitTermination()
    except Exception:
        if not work.is_far_behind:
            raise
        state = "too_many_failed"
    finally:
        query.stop()
    return work.facts.summary(
        state=state,
        source=source,
        output=output,
        started_at=started_at,
        limit=work.limit,
        mapper=work.mapper,
    )


# ── what is asked for ────────────────────────────────────────────────────────────────────────


def _stream(
    spark: SparkSession,
    source: str | DataFrame,
    format_: str,
    options: Mapping[str, str],
    files_per_batch: int,
) -> DataFrame:
    if not isinstance(source, str):
        if not getattr(source, "isStreaming", False):
            raise ConfigurationError(
                "source must be a folder, or a streaming DataFrame: spark.readStream gives one"
            )
        return source
    with told_plainly():
        schema = spark.read.format(format_).options(**options).load(source).schema
    reader = spark.readStream.format(format_).options(**options).schema(schema)
    return reader.option("maxFilesPerTrigger", files_per_batch).load(source)


def _with_types(rows: DataFrame, keep: Keep) -> Keep:
    """Names alone get the types that these columns have in the source."""
    if isinstance(keep, str) or not isinstance(keep, Sequence):
        return keep
    from pyspark.sql.pandas.types import to_arrow_type

    types = {one.name: to_arrow_type(one.dataType, timezone="UTC") for one in rows.schema}
    _check_there(rows, "keep", keep)
    return {name: types[name] for name in keep}


def _check_columns(rows: DataFrame, mapper: BalanceMapper) -> None:
    asking = mapper.asking
    for setting in ("column", "program_column", "currency_column"):
        if (name := getattr(asking, setting)) is not None:
            _check_there(rows, setting, [name])


def _check_there(rows: DataFrame, setting: str, names: Sequence[str]) -> None:
    for name in names:
        if rows.columns.count(name) != 1:
            listed = ", ".join(map(repr, rows.columns[:20]))
            raise ConfigurationError(f"{setting} {name!r} is not in the source, which has {listed}")


def _check_token(settings: ClientSettings) -> None:
    if not (isinstance(settings.token, Secret) and settings.token.is_reference):
        raise ConfigurationError(
            "the token must be Secret.from_env(name) or Secret.from_file(path): executors look it "
            "up where they are, and it is in no plan"
        )


def _check_whole(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name} must be a whole number from 1, not {value!r}")


def _question(mapper: BalanceMapper, source: str | DataFrame, out: Out) -> dict[str, Any]:
    return {
        **question_of(mapper.asking, mapper.settings),
        "source": _name_of(source),
        "out": _shown(out),
        "amount_scale": mapper.amount_scale,
    }


def _name_of(source: str | DataFrame) -> str:
    return source if isinstance(source, str) else "a streaming DataFrame"


def _shown(out: Out) -> str:
    return out if isinstance(out, str) else ""
