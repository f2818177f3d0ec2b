"""A refresh on Spark: each member once and right, whoever is killed; one rate; no slow barrier."""

import os
import re
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from altcraft_balance.models import ByEmail
from tests.spark.conftest import CLUSTER, ROOT, environment
from tests.spark.driver import OFFLINE

arrow = pytest.importorskip("pyarrow", reason="the extra spark is not installed")
FAULTS = "status503=0.02,reset=0.01,status500=0.01,html=0.005,truncated=0.005"
FILES = 8
ROWS = 20_000


def members_into(folder, rows, files=FILES):
    """Files of members, in the order of their numbers."""
    import pyarrow.parquet as parquet

    (folder / "in").mkdir()
    each = rows // files
    for number in range(files):
        ids = range(number * each, (number + 1) * each)
        table = {"id": list(ids), "email": [f"m{one}@example.com" for one in ids]}
        parquet.write_table(arrow.table(table), folder / "in" / f"{number}.parquet")


def assert_right(folder, rows, server):
    """Each member stands there once, with what the server has of him."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(folder / "out")
    assert sorted(table["id"].to_pylist()) == list(range(rows))
    assert set(table["status"].to_pylist()) == {"found"}
    for row in table.select(["member", "total_balance", "active_balance"]).to_pylist():
        truth = server.balance_of(ByEmail(row["member"]), loyalty_program_id=123)
        assert row["total_balance"] == truth.total_balance, row["member"]
        assert row["active_balance"] == truth.active_balance


def until(condition, driver, limit_s=120):
    end = time.monotonic() + limit_s
    while not condition():
        assert driver.process.poll() is None, "it has ended before"
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_each_member_is_asked_once_past_faults(drive, serve, tmp_path):
    """On two executors; the summary counts what is there, and a second call does nothing."""
    members_into(tmp_path, ROWS)
    server = serve(faults=FAULTS, retry_after_s=0, latency_s=0.01)
    told = {"url": server.url, "master": CLUSTER, "files_per_batch": 4}
    summary = drive(told).ended()
    assert (summary["state"], summary["rows"], summary["statuses"]["found"]) == (
        "finished", ROWS, ROWS,
    )  # fmt: skip
    assert_right(tmp_path, ROWS, server)
    asked = server.requests
    assert drive(told | {"master": "local[1]"}).ended()["rows"] == ROWS
    other = drive(told | {"master": "local[1]", "program": 124}).ended()["error"]
    assert "begun with other settings (loyalty_program_id)" in other
    assert server.requests == asked


def test_an_executor_that_is_killed_loses_nothing(drive, serve, tmp_path):
    """Half-way: its tasks are done again by the other, or by its successor."""
    members_into(tmp_path, ROWS, files=2)
    server = serve(faults=FAULTS, retry_after_s=0, latency_s=0.02)
    driver = drive({"url": server.url, "master": CLUSTER, "files_per_batch": 1})
    until(lambda: server.requests > ROWS // 4, driver)
    os.kill(driver.executors()[0], signal.SIGKILL)
    assert driver.ended()["rows"] == ROWS
    assert_right(tmp_path, ROWS, server)


def test_a_driver_that_is_killed_asks_one_micro_batch_again(drive, serve, tmp_path):
    """The job goes on when it is run again."""
    members_into(tmp_path, ROWS)
    server = serve(latency_s=0.02)
    told = {"url": server.url, "master": CLUSTER}
    first = drive(told)
    until(lambda: server.requests > ROWS // 2, first)
    first.kill()
    second = drive(told | {"master": "local[2]"}).ended()
    assert second["rows"] == ROWS
    assert_right(tmp_path, ROWS, server)
    assert server.requests <= ROWS + ROWS // FILES


def test_a_fatal_answer_ends_it_with_one_sentence(drive, serve, tmp_path):
    """Spark tries a task four times; each asks once."""
    members_into(tmp_path, 2_000, files=2)
    server = serve(token="another")
    told = {"url": server.url, "master": CLUSTER}
    came = drive(told).ended()
    assert came["error"].startswith("AuthenticationError: the platform answered error 401")
    assert "\n" not in came["error"]
    assert server.requests <= 4 * 2
    assert not (tmp_path / "out" / "batch=0" / "_SUCCESS").exists()


def test_the_token_is_in_no_plan_and_no_log(drive, serve, tmp_path):
    """Neither in Spark's event log, nor in what it prints."""
    members_into(tmp_path, 200, files=1)
    server = serve(token="canary-7c2b-token")
    (tmp_path / "events").mkdir()
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": str(tmp_path / "events")}
    told = {"url": server.url, "conf": conf}
    drive(told, ALTCRAFT_TOKEN="canary-7c2b-token").ended()
    places = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert any(one.is_relative_to(tmp_path / "events") for one in places)
    assert not [one for one in places if b"canary-7c2b-token" in one.read_bytes()]


def test_the_readmes_program_runs(serve, tmp_path):
    """As it stands there, by spark-submit."""
    readme = (ROOT / "README.md").read_text("utf-8")
    (program,) = [
        one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "pyspark" in one
    ]
    (tmp_path / "refresh.py").write_text(program)
    (tmp_path / "lake" / "members").mkdir(parents=True)
    server = serve()
    members_into(tmp_path, 100, files=1)
    (tmp_path / "in" / "0.parquet").rename(tmp_path / "lake" / "members" / "0.parquet")
    conf = [part for name, value in OFFLINE.items() for part in ("--conf", f"{name}={value}")]
    submit = Path(find_spec("pyspark").origin).parent / "bin" / "spark-submit"
    ended = subprocess.run(
        [str(submit), "--master", "local[2]", *conf, "refresh.py"],
        cwd=tmp_path,
        env=environment(ALTCRAFT_BASE_URL=server.url),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.stdout.splitlines()[-1] == "finished 100 100", ended.stderr[-2000:]
