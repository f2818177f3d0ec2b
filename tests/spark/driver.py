"""Runs a refresh on Spark as a program of its own: ``python -m tests.spark.driver '{...}'``.

Says on a line of its own when the session is there, and prints the summary as JSON, or the error.
"""

import json
import os
import sys
from pathlib import Path

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.secret import Secret
from altcraft_balance.settings import Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.spark import refresh_balances

#: Without its page, on the loopback alone, and with a pause of nothing between two micro-batches.
OFFLINE = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.executor.memory": "700m",
}


def session(master, further):
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master).appName("altcraft_balance tests")
    for name, value in {**OFFLINE, **further}.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def rate_of(told):
    if told is None:
        return None
    if told["kind"] == "split":
        return SharedRate.split(told["per_s"], told["workers"])
    return SharedRate.redis(told["url"], "tests", told["per_s"], workers=told["workers"])


def main(told):
    folder = Path(told["folder"])
    spark = session(told.get("master", "local[2]"), told.get("conf", {}))
    print("ready", flush=True)
    settings = BalanceClient(
        told["url"],
        token=Secret.from_env("ALTCRAFT_TOKEN"),
        loyalty_program_id=told.get("program", 123),
        limits=Limits(rate_per_s=rate_of(told.get("rate")), burst=told.get("burst")),
    ).settings
    try:
        summary = refresh_balances(
            spark,
            str(folder / "in"),
            str(folder / "out"),
            str(folder / "checkpoint"),
            settings=settings,
            keep=["id"],
            tasks=told.get("tasks", 2),
            files_per_batch=told.get("files_per_batch", 1),
        )
        print(json.dumps(summary.as_dict(series=False)), flush=True)
    except AltcraftBalanceError as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
    finally:
        spark.stop()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
