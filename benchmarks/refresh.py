"""Where a bulk refresh spends its time: CPU per row, by stage, over the bare stream.

The transport answers from memory, so that what is measured is ours. The stages are measured alone:
knowing a file (it is read once before anything is asked), reading its rows, making queries of them,
making rows of answers, and writing those with a commit for each block. "All of it" is
`refresh_balances` from a CSV file to a file, beside `stream_balances` over the same members.
Rounds of all are interleaved; the figures are medians of process CPU time, all threads together.

    python benchmarks/refresh.py [--rows 10000] [--rounds 9] [--to csv]
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

from altcraft_balance import (
    Balance,
    BalanceClient,
    ByEmail,
    CsvSink,
    CsvSource,
    Found,
    JsonLinesSink,
    Opening,
    refresh_balances,
)
from altcraft_balance.refresh.rows.answer import of_outcome
from altcraft_balance.refresh.rows.plan import Asking, Plan
from altcraft_balance.refresh.state.checkpoint import FileCheckpoint
from altcraft_balance.transport.port import RawReply

REPLY = RawReply(
    200,
    {},
    b'{"error":0,"error_text":"","data":{"total_balance":"991.70","active_balance":"694.10"}}',
)
KEEP = ("id", "segment")
BLOCK = 250


class Memory:
    """A transport that answers in the next turn of the loop."""

    async def open(self, *, warm=0):
        """Nothing to open."""

    async def aclose(self):
        """Nothing to close."""

    async def send(self, body, headers, *, limit_s, fresh=False):
        """The same balance for everybody."""
        await asyncio.sleep(0)
        return REPLY


def client():
    return BalanceClient(
        "http://127.0.0.1:1", token="token", loyalty_program_id=123, transport=Memory()
    )


def sink(folder, suffix):
    path = Path(folder) / f"out.{suffix}"
    if suffix.startswith("jsonl"):
        return JsonLinesSink(path)
    if suffix.startswith("parquet"):
        from altcraft_balance import ParquetSink

        return ParquetSink(path)
    return CsvSink(path)


async def stream(path, rows, suffix):
    async with client() as asked:
        members = (f"member{number}@example.com" for number in range(rows))
        async with asked.stream_balances(members, by=ByEmail) as outcomes:
            async for _ in outcomes:
                pass


async def refresh(path, rows, suffix):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        async with client() as asked:
            summary = await refresh_balances(
                CsvSource(path), sink(folder, suffix), asked, by="email", keep=KEEP
            )
        assert summary.statuses["found"] == rows


async def knowing(path, rows, suffix):
    CsvSource(path).describe()


async def reading(path, rows, suffix):
    for _ in source(path)[1].rows(0):
        pass


async def asking(path, rows, suffix):
    info, read = source(path)
    plan = Plan(Asking(by="email", keep=KEEP), info, currency=None, program=123)
    for cells in read.rows(0):
        plan.queries(cells, None)


async def writing(path, rows, suffix):
    """Answers to rows, in the file and, until they are durable there, in the checkpoint."""
    info, read = source(path)
    plan = Plan(Asking(by="email", keep=KEEP), info, currency=None, program=123)
    found = Found(query=plan.queries(["1", "a@example.com", ""], None)[0], index=0, balance=BALANCE)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        checkpoint, out = FileCheckpoint(Path(folder) / "checkpoint"), sink(folder, suffix)
        out.open(Opening(run_id="run", columns=plan.columns))
        lines = read.rows(0)
        for number in range(0, rows, BLOCK):
            block = [
                (cells, of_outcome(found, "", 123, refuses=out.refuses))
                for cells in islice(lines, BLOCK)
            ]
            out.write([plan.output(*row) for row in block])
            durable = (number + BLOCK) % out.chunk_rows == 0
            if durable:
                out.sync()
            kept = [] if durable else [(number + n, [row[1]]) for n, row in enumerate(block)]
            checkpoint.commit({}, kept, number if durable else 0)
        out.sync()
        out.finish()
        out.close()
        checkpoint.close()


NOW = datetime.now(UTC)
BALANCE = Balance(
    total_balance=Decimal("991.70"),
    active_balance=Decimal("694.10"),
    loyalty_program_id=123,
    looked_up_at=NOW,
)
STAGES = {
    "the bare stream": stream,
    "all of it": refresh,
    "knowing the file": knowing,
    "reading rows": reading,
    "reading, and making queries": asking,
    "reading, writing, committing": writing,
}
_SOURCES = {}


def source(path):
    """What is known of the file, found out once."""
    if path not in _SOURCES:
        read = CsvSource(path)
        _SOURCES[path] = read.describe(), read
    return _SOURCES[path]


def members_into(path, rows):
    """A file of so many members."""
    with path.open("w") as file:
        file.write("id,email,segment\n")
        file.writelines(f"{n:010},member{n}@example.com,s{n % 7}\n" for n in range(rows))


def measured(path, rows, rounds, suffix):
    """Microseconds of CPU per row, by stage, a list of rounds each."""
    source(path)
    times = {name: [] for name in STAGES}
    for number in range(rounds + 1):
        for name in list(STAGES) if number % 2 else reversed(STAGES):
            began = time.process_time()
            asyncio.run(STAGES[name](path, rows, suffix))
            times[name].append((time.process_time() - began) / rows * 1e6)
    return {name: values[1:] for name, values in times.items()}  # the first round warms up


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--to", default="csv", help="csv, csv.gz, jsonl, parquet")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members.csv"
        members_into(path, asked.rows)
        times = measured(path, asked.rows, asked.rounds, asked.to)
    more = [
        ours - bare for ours, bare in zip(times["all of it"], times["the bare stream"], strict=True)
    ]
    low, middle, high = statistics.quantiles(more, n=4)
    if asked.json:
        medians = {name: statistics.median(values) for name, values in times.items()}
        least = {name: min(values) for name, values in times.items()}
        print(json.dumps({**medians, "more": middle, "least": least}))
        return
    print(f"CPU per row, CSV to {asked.to}, medians of {asked.rounds} rounds")
    for name, values in times.items():
        print(f"  {name:<30} {statistics.median(values):>6.1f} µs   (least {min(values):.1f})")
    print(f"  {'more than the bare stream':<30} {middle:>6.1f} µs   ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
