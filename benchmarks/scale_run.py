"""One run of `benchmarks/scale.py`: members, out, checkpoint; prints what it took as JSON."""

import json
import os
import sys
import time
from pathlib import Path

from altcraft_balance import BalanceClient

BEGAN = time.monotonic()
#: On the loopback alone, and without a page.
QUIET = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "700m",
}


def cpu_s():
    """Of all processes of this session, those that have ended included where somebody waited."""
    ticks, ours = 0, os.getsid(0)
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == ours:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def in_one_process(settings, members, out):
    """Without Spark."""
    import pyarrow.parquet as parquet

    from altcraft_balance.arrow import balance_mapper

    mapper, began = balance_mapper(settings), time.monotonic()
    Path(out).mkdir()
    for file in sorted(Path(members).iterdir()):
        with parquet.ParquetWriter(f"{out}/{file.name}", mapper.schema) as writer:
            for batch in mapper(parquet.ParquetFile(file).iter_batches(2_500)):
                writer.write_batch(batch)
    return began


def on_spark(settings, master, *places):
    """With as many tasks as there are workers."""
    from pyspark.sql import SparkSession

    from altcraft_balance.spark import refresh_balances

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master)
    for name, value in QUIET.items():
        builder = builder.config(name, value)
    spark, tasks = builder.getOrCreate(), int(master.partition("[")[2].strip("]").split(",")[0])
    spark.sparkContext.setLogLevel("OFF")
    # The first job waits for executors: that is starting, too.
    spark.sparkContext.parallelize(range(tasks), tasks).count()
    began = time.monotonic()
    refresh_balances(spark, *places, settings=settings, by="email", tasks=tasks)
    return began


def main(master, *places):
    settings = BalanceClient.from_env().settings
    run, words = (on_spark, (master, *places)) if master else (in_one_process, places[:2])
    began = run(settings, *words)
    ended = time.monotonic()
    print(json.dumps({"start_s": began - BEGAN, "work_s": ended - began, "cpu_s": cpu_s()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
