"""One process, Spark on one machine, and a cluster: the same members, and what more workers bring.

Each run looks all members of a folder of Parquet files up, at a sandbox in a process of its own
that takes 20 ms for a reply, and writes Parquet. "One process" is `balance_mapper` in a plain loop;
the others are `refresh_balances` on Spark. Each is run with a quarter of the members, with all in
one micro-batch, and with all in several: the first two tell what a further member costs, the last
two what a further micro-batch costs. All are interleaved, and the figures are medians. CPU is that
of all processes of a run: driver, JVMs, Python workers.

From the costs of one worker of the cluster a simulation then says what 1 to 200 of them do with 100
million members, when the server allows 1,000, 10,000 or 100,000 requests a second.

    python benchmarks/scale.py [--rows 20000] [--rounds 3] [--plot scale.svg] [--json]

Needs the extra spark and Java; `--costs FILE`, of an earlier `--json`, needs neither.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from benchmarks.scale_model import QUOTAS, WORKERS, Costs, table

ROOT = Path(__file__).parents[1]
#: Name -> Spark's master; None: without Spark.
PLACES = {
    "one process": None,
    "local[1]": "local[1]",
    "local[2]": "local[2]",
    "cluster of 1": "local-cluster[1,1,700]",
    "cluster of 2": "local-cluster[2,1,700]",
}
BATCHES = 4
LATENCY_S = 0.02


@contextmanager
def sandbox():
    """Its URL, while it runs."""
    command = [sys.executable, "-m", "altcraft_balance", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--latency", str(LATENCY_S)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield next(
            word.rstrip(",")
            for line in process.stdout
            for word in line.replace("=", " ").split()
            if word.startswith("http://")
        )
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def members_into(folder, rows, files):
    """Members in so many files."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    folder.mkdir(parents=True)
    for number in range(files):
        emails = [f"m{n}@example.com" for n in range(number, rows, files)]
        parquet.write_table(pa.table({"email": emails}), folder / f"{number}.parquet")


def run(place, url, members, folder):
    """What one run took, from a process of its own: see `benchmarks/scale_run.py`."""
    out, checkpoint = folder / "out", folder / "checkpoint"
    told = {
        **os.environ,
        "ALTCRAFT_BASE_URL": url,
        "ALTCRAFT_TOKEN": "sandbox-token",
        "ALTCRAFT_LOYALTY_PROGRAM_ID": "123",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
    }
    words = [PLACES[place] or "", str(members), str(out), str(checkpoint)]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale_run", *words],
        env=told,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if ended.returncode:
        raise SystemExit(f"{place}: {ended.stderr.strip().splitlines()[-1]}")
    return json.loads(ended.stdout.splitlines()[-1])


def measure(places, rows, rounds):
    """Of each place its runs, by kind."""
    kinds = {"few": (rows // 4, 1), "one": (rows, 1), "several": (rows, BATCHES)}
    took = {place: {kind: [] for kind in kinds} for place in places}
    with tempfile.TemporaryDirectory(prefix="scale-") as name, sandbox() as url:
        for kind, (members, files) in kinds.items():
            members_into(Path(name) / kind, members, files)
        for number in range(rounds):
            for place in places[:: 1 if number % 2 else -1]:
                for kind in kinds:
                    with tempfile.TemporaryDirectory(dir=name) as folder:
                        came = run(place, url, Path(name) / kind, Path(folder))
                    took[place][kind].append(came)
                say(f"round {number + 1}: {place}")
    return took


def costs_of(runs, rows):
    """Medians: seconds to start, of a further micro-batch, members a second, CPU of a member."""

    def middle(name, kind, less=None):
        return statistics.median(
            came[name] - (0 if less is None else runs[less][number][name])
            for number, came in enumerate(runs[kind])
        )

    further = rows - rows // 4
    return {
        "start_s": middle("start_s", "one"),
        "batch_s": max(0.0, middle("work_s", "several", "one") / (BATCHES - 1)),
        "per_s": further / max(0.001, middle("work_s", "one", "few")),
        "cpu_us": middle("cpu_s", "one", "few") / further * 1e6,
    }


def say(text):
    """To whoever waits."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def show(costs, simulated):
    """Both tables."""
    print(f"{'where':<14} {'to start':>9} {'a batch':>9} {'members/s':>10} {'CPU a member':>13}")
    for place, cost in costs.items():
        print(
            f"{place:<14} {cost['start_s']:>7.1f} s {cost['batch_s']:>7.2f} s "
            f"{cost['per_s']:>10,.0f} {cost['cpu_us']:>10,.0f} µs"
        )
    print("\n100,000,000 members: hours, and million requests, by workers and allowed rate\n")
    print(f"{'workers':>8}" + "".join(f"{f'{quota:,}/s':>22}" for quota in QUOTAS))
    for workers in WORKERS:
        own = [one for one in simulated if one["workers"] == workers]
        figures = [f"{one['hours']:>12.2f} h {one['requests'] / 1e6:>6.1f}" for one in own]
        print(f"{workers:>8}" + "".join(f"{figure:>22}" for figure in figures))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PLACES, action="append", help="by default all")
    parser.add_argument("--costs", type=Path, help="measured before: simulate only")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw; needs matplotlib")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.costs is not None:
        costs = json.loads(asked.costs.read_text("utf-8"))["costs"]
    else:
        took = measure(asked.only or list(PLACES), asked.rows, asked.rounds)
        costs = {place: costs_of(runs, asked.rows) for place, runs in took.items()}
    worker = costs.get("cluster of 1") or next(iter(costs.values()))
    simulated = table(Costs(worker["start_s"], worker["batch_s"], worker["per_s"]))
    if asked.plot is not None:
        from benchmarks.scale_plot import draw

        draw(simulated, asked.plot)
    if asked.json:
        print(json.dumps({"costs": costs, "simulated": simulated}))
    else:
        show(costs, simulated)


if __name__ == "__main__":
    main()
