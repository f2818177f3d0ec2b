"""The simulation of many workers, and a run from which it takes its costs."""

import json

import pytest

from benchmarks.scale_model import MEMBERS, QUOTAS, WORKERS, Costs, simulate, table
from tests.benchmarks.test_benchmarks import printed

COSTS = Costs(start_s=20, batch_s=2, per_s=1_000)


def test_nobody_is_faster_than_the_rate_allows():
    """And enough workers use nearly all of it."""
    for one in table(COSTS):
        assert one["hours"] * 3600 >= MEMBERS / one["quota"]
        assert one["of_quota"] <= 1
    assert simulate(COSTS, 20, 10_000)["of_quota"] > 0.95


def test_more_workers_help_until_the_rate_is_used():
    """Twice as many take half of the time; beyond the rate, none."""
    hours = {workers: simulate(COSTS, workers, 100_000)["hours"] for workers in WORKERS}
    assert hours[10] / hours[20] == pytest.approx(2, rel=0.1)
    few, many = (simulate(COSTS, workers, QUOTAS[0])["hours"] for workers in (2, 200))
    assert many == pytest.approx(few, rel=0.1)


def test_what_a_lost_worker_had_is_asked_again():
    """A few in a thousand; nothing else is asked twice."""
    assert MEMBERS < simulate(COSTS, 200, 1_000)["requests"] < 1.01 * MEMBERS
    assert simulate(COSTS, 1, 1_000, members=1_000)["requests"] == 1_000


@pytest.mark.slow
def test_costs_are_measured(tmp_path):
    """Without Spark, so that it runs everywhere; the picture too."""
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    words = ("--rows", "4000", "--rounds", "1", "--only", "one process", "--json")
    told = json.loads(printed("scale", *words, "--plot", str(tmp_path / "scale.svg")))
    costs = told["costs"]["one process"]
    assert min(costs["per_s"], costs["cpu_us"], costs["start_s"]) > 0
    assert len(told["simulated"]) == len(WORKERS) * len(QUOTAS)
    assert (tmp_path / "scale.svg").read_text().rstrip().endswith("</svg>")
