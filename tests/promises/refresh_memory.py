"""Refreshes a CSV file into another file through a transport in memory, and prints the peak.

Run as a program, since a process has one peak only.
"""

import asyncio
import resource
import tempfile
from pathlib import Path

from benchmarks import refresh as benchmark
from tests.promises.child import answer, options_of


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members.csv"
        benchmark.members_into(path, asked.rows)
        asyncio.run(benchmark.refresh(path, asked.rows, asked.to))
    return {"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


if __name__ == "__main__":
    asked = options_of(__doc__, rows=10_000, to="parquet")
    answer(main())
