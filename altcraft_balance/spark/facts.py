"""What came of each micro-batch: counted by Spark as it writes, and kept beside the checkpoint.

A micro-batch's facts are written over those of an earlier try, as its rows are, so that the summary
of a run that was killed counts each row once.
"""

# pyright: reportMissingImports=false
# Spark is 500 MB, and what checks types goes without.

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from altcraft_balance import errors
from altcraft_balance.arrow import BalanceMapper
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.refresh.rows.answer import STATUSES
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.summary import RefreshSummary, counted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Observation, SparkSession

__all__ = ["Facts", "observed"]

_FOLDER: Final = "altcraft"


def _kinds() -> Iterator[str]:
    """What an ``error_kind`` may be."""
    yield "amount_does_not_fit"
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, AltcraftBalanceError):
            yield value.kind


_KINDS: Final = tuple(sorted(set(_kinds())))


def observed(rows: DataFrame, prefix: str) -> tuple[Observation, DataFrame]:
    """`rows`, and what is counted of them while they are written, without a look of its own."""
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    status, kind = f.col(prefix + "status"), f.col(prefix + "error_kind")
    attempts = f.col(prefix + "attempts")
    counts = [
        f.count(f.lit(1)).alias("answers"),
        f.coalesce(f.sum(attempts), f.lit(0)).alias("attempts"),
        f.count_if(attempts > 0).alias("asked"),
        *(f.count_if(status == name).alias(f"status {name}") for name in STATUSES),
        *(f.count_if(kind == name).alias(f"kind {name}") for name in _KINDS),
    ]
    observation = Observation()
    return observation, rows.observe(observation, *counts)


class Facts:
    """The facts of a run's micro-batches.

    Args:
        spark: the session.
        checkpoint: beside what Spark keeps there, they are.
    """

    def __init__(self, spark: SparkSession, checkpoint: str) -> None:
        self._spark, self._folder = spark, f"{checkpoint.rstrip('/')}/{_FOLDER}"
        self._noted: dict[int, Mapping[str, Any]] | None = None
        self._question = f"{self._folder}_question"

    def begin(self, question: Mapping[str, Any]) -> None:
        """Note what is asked, the first time; refuse to go on with another question.

        Raises:
            ConfigurationError: the run was begun with other settings.
        """
        kept = self._read(self._question)
        if not kept:
            self._write(self._question, question)
            return
        changed = [name for name, value in question.items() if kept[0].get(name) != value]
        if changed:
            raise errors.ConfigurationError(
                f"the run of this checkpoint was begun with other settings ({', '.join(changed)}): "
                "give this one a checkpoint and an output of its own"
            )

    def note(
        self, number: int, counts: Mapping[str, Any], *, began_at: datetime, seconds: float
    ) -> None:
        """Keep what came of a micro-batch."""
        fact = {
            "batch": number,
            "counts": dict(counts),
            "began_at": began_at.isoformat(),
            "seconds": round(seconds, 3),
        }
        self.noted()[number] = fact
        self._write(f"{self._folder}/batch={number}", fact)

    def noted(self) -> dict[int, Mapping[str, Any]]:
        """All that is kept, of earlier calls as well."""
        if self._noted is None:
            self._noted = {fact["batch"]: fact for fact in self._read(self._folder)}
        return self._noted

    def failed_of(self) -> tuple[int, int]:
        """How many answers are no success, and of how many."""
        tally = self._tally()
        return tally.failed, tally.answered

    def summary(
        self,
        *,
        state: Any,
        source: str,
        output: str,
        started_at: datetime,
        limit: MaxFailed,
        mapper: BalanceMapper,
    ) -> RefreshSummary:
        """What came of the run, of all calls together."""
        tally, began = self._tally(), [fact["began_at"] for fact in self.noted().values()]
        settings = mapper.settings
        return counted(
            tally,
            run_id=self._folder.rpartition("/")[0],
            state=state,
            reason="" if state == "finished" else _far_behind(tally, limit),
            source=source,
            output=output,
            total=tally.rows if state == "finished" else None,
            total_is_exact=True,
            is_within_max_failed=limit.allows(tally.failed, tally.answered),
            started_at=min(map(datetime.fromisoformat, began), default=started_at),
            finished_at=datetime.now(UTC) if state == "finished" else None,
            settings=MappingProxyType(
                {
                    "base_url": settings.url,
                    "column": mapper.asking.column,
                    "loyalty_program_id": settings.loyalty_program_id,
                    "concurrency": settings.limits.concurrency,
                    "max_failed": str(limit),
                }
            ),
        )

    def _tally(self) -> Tally:
        tally = Tally()
        for fact in self.noted().values():
            counts = fact["counts"]
            tally.rows += counts["answers"]
            tally.asked += counts["asked"]
            tally.requests += counts["attempts"]
            tally.elapsed_s += fact["seconds"]
            for name, count in counts.items():
                what, _, value = name.partition(" ")
                if count and value:
                    (tally.statuses if what == "status" else tally.kinds)[value] += count
        return tally

    def _write(self, place: str, value: Mapping[str, Any]) -> None:
        line = self._spark.createDataFrame([(json.dumps(value),)], "value string").coalesce(1)
        line.write.mode("overwrite").text(place)

    def _read(self, place: str) -> list[Mapping[str, Any]]:
        from pyspark.errors import AnalysisException

        try:
            lines = self._spark.read.text(place).select("value").collect()
        except AnalysisException:  # there are none yet
            return []
        return [json.loads(line.value) for line in lines]


def _far_behind(tally: Tally, limit: MaxFailed) -> str:
    return (
        f"{tally.failed:,} of {tally.answered:,} failed, far more than max_failed allows "
        f"({limit}): raise it to go on"
    )
