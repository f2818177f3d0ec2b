"""The same function by Spark Connect, whose client has no JVM of its own."""

import json
import subprocess
import sys
from decimal import Decimal
from importlib.util import find_spec

import pytest

from altcraft_balance.models import ByEmail
from tests.spark.conftest import environment

PROGRAM = """
import json
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from altcraft_balance import BalanceClient
from altcraft_balance.arrow import balance_mapper

builder = SparkSession.builder.remote("local[2]")
for name, value in json.loads(OFFLINE).items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
mapper = balance_mapper(BalanceClient.from_env().settings, by="email", keep={"id": pa.int64()})
members = spark.createDataFrame(
    [(n, f"m{n}@example.com") for n in range(100)], "id long, email string"
)
rows = members.mapInArrow(mapper, from_arrow_schema(mapper.schema)).collect()
print(json.dumps({row["id"]: str(row["total_balance"]) for row in rows}))
spark.stop()
"""


def test_it_is_what_spark_connect_maps_too(serve, tmp_path):
    """Pickled by the client, with the token by its name, and run by the server's workers."""
    if find_spec("grpc") is None:
        pytest.skip("pyspark[connect] is not installed")
    from tests.spark.driver import OFFLINE

    server = serve()
    (tmp_path / "program.py").write_text(f"OFFLINE = {json.dumps(json.dumps(OFFLINE))}\n{PROGRAM}")
    ended = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment(ALTCRAFT_BASE_URL=server.url),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    came = json.loads(ended.stdout.splitlines()[-1])
    assert came.keys() == {str(number) for number in range(100)}
    for number, total in came.items():
        truth = server.balance_of(ByEmail(f"m{number}@example.com"), loyalty_program_id=123)
        assert truth.total_balance == Decimal(total)
