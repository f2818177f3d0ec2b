"""A small refresh in a process of its own: always the same rows, answers and times.

The platform is in memory. It answers f(member), so that a wrong row shows, out of order and at
varying speed, and writes down what it was asked, so that what was asked twice can be counted.
"""

import asyncio
import contextlib
import json
import os
import random
import zlib
from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from altcraft_balance.client import BalanceClient
from altcraft_balance.models import CurrencyEid
from altcraft_balance.refresh import watch, writer
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.files.json_lines import JsonLinesSink
from altcraft_balance.refresh.job import refresh_balances
from altcraft_balance.refresh.rows import answer
from altcraft_balance.session import attempt
from altcraft_balance.settings import Limits, RetryPolicy
from altcraft_balance.transport.port import RawReply

CANARY = "canary.example"
STRANGER, REFUSED = 603, 400
IN_FLIGHT = 8
NOTE = os.write  # as it is before anything stands in its place
OLD = b"what was there before\n"
FORMATS = ("csv", "tsv", "csv.gz", "csv.zst", "jsonl", "parquet", "folder")


@frozen(kw_only=True)
class Job:
    """What is run: a format of the outputs, rows, currencies, and where blocks and chunks end.

    Attributes:
        faults: the share of requests that fail at first; then times are real, and differ.
        overwrite: whether there is an output already.
        hold: a file for which every answer waits.
        width: how much longer its rows are than they need be.
        in_vain: everybody gets the same error, so that it stops and leaves nothing.
    """

    format: str = "csv"
    rows: int = 160
    currencies: int = 2
    block_rows: int = 0
    chunk_rows: int = 60
    faults: float = 0.0
    overwrite: bool = True
    run_id: str | None = "night"
    output: str = "out"
    keep: tuple[str, ...] = ("id",)
    fresh: bool = False
    in_vain: bool = False
    width: int = 0
    hold: Path | None = field(default=None)

    @property
    def uncommitted_rows(self):
        """How many rows may be asked and not committed."""
        return 5 * self.block_rows // 2 or 500

    def path(self, folder, name):
        """Where the output `name` goes; beside a plain CSV file the errors grow in chunks."""
        others = {"folder": "parquet", "csv": "csv.gz" if "errors" in name else "csv"}
        return folder / f"{name}.{others.get(self.format, self.format)}"

    def is_folder(self, path):
        """Whether the output `path` is one."""
        return self.format == "folder" and "errors" not in path.name

    def outputs(self, folder):
        """The output and the file of errors, which is one file, even beside a folder."""
        return [self.path(folder, self.output), self.path(folder, f"{self.output}-errors")]


class FixedClock(datetime):
    """It is always noon."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 26, 12, 0, 0, 125_000, tz or UTC)


class Platform:
    """Fits the transport's port.

    Args:
        job: what is run.
        log: a descriptor that gets a line for each question and each answer.
    """

    def __init__(self, job, log):
        self._job, self._log = job, log
        self._random = random.Random(os.getpid())

    async def open(self, *, warm=0):
        pass

    async def aclose(self):
        pass

    async def send(self, body, headers, *, limit_s, fresh=False):
        asked = json.loads(bytes(body))
        email, currency = asked["email"], asked.get("points_currency_eid", "")
        member = zlib.crc32(f"{email} {currency}".encode())
        NOTE(self._log, f"asked {email} {currency}\n".encode())
        for _ in range(member % 4):
            await asyncio.sleep(0)
        if email.startswith("m00007@"):
            await asyncio.sleep(0.005)  # a slow one, whom the others overtake
        while self._job.hold is not None and not self._job.hold.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # another process makes it
        NOTE(self._log, b"answered\n")
        if self._random.random() < self._job.faults:
            return RawReply(500, {}, b"")
        known = {"error": REFUSED} if self._job.in_vain else balance(member, email)
        return RawReply(200, {}, json.dumps(known).encode())


def balance(member, email):
    """The platform's envelope for `member`, a number that stands for an address and a currency."""
    if email.startswith("m") and int(email[1:6]) % 23 == 5:
        return {"error": REFUSED, "error_text": "Bad <request>,\nsaid twice"}
    if email.startswith("m") and int(email[1:6]) % 19 == 3:
        return {"error": STRANGER, "error_text": "No such member"}
    total, active = f"{member % 10**7 / 100:.2f}", f"{member % 10**5 / 100:.2f}"
    return {"error": 0, "data": {"total_balance": total, "active_balance": active}}


def prepare(folder, job):
    """Make the input, with bad rows of two kinds, and the outputs that were there before."""
    lines = ["id,email,segment"]
    for number in range(job.rows):
        email = "" if number % 31 == 11 else f"m{number:05}@{CANARY}"
        lines.append(f'{number:06},{email},"gold, ""{number % 3}{"x" * job.width}"""')
        if number % 37 == 17:
            lines[-1] += ",and more"
    (folder / "members.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for path in job.outputs(folder) if job.overwrite else []:
        if job.is_folder(path):
            path.mkdir()
            path = path / "part-00000.parquet"
        path.write_bytes(OLD)
        path.chmod(0o600)


def sink_of(job, path):
    """The sink that makes `path`."""
    if job.format in {"parquet", "folder"}:
        from altcraft_balance.refresh.files.parquet_sink import ParquetSink

        end = "/" if job.is_folder(path) else ""
        sink = ParquetSink(f"{path}{end}", overwrite=job.overwrite)
    elif job.format == "jsonl":
        sink = JsonLinesSink(path, overwrite=job.overwrite)
    else:
        delimiter = "\t" if job.format == "tsv" else ","
        sink = CsvSink(path, delimiter=delimiter, overwrite=job.overwrite)
    if sink.chunk_rows > 1:
        sink.chunk_rows = job.chunk_rows
    return sink


async def refresh(folder, job, log, **further):
    """Run `job` in `folder`, or what is left of it; its summary."""
    if not job.faults:
        attempt.datetime = answer.datetime = watch.datetime = FixedClock
    if job.block_rows:
        writer._BLOCK_ROWS = job.block_rows
        writer._ROWS_AT_ONCE = job.uncommitted_rows
    client = BalanceClient(
        "https://altcraft.example",
        token="t0ken",
        loyalty_program_id=123,
        transport=Platform(job, log),
        limits=Limits(concurrency=IN_FLIGHT),
        retry=RetryPolicy(max_attempts=20, base_s=0.001, cap_s=0.01),
        not_a_member={STRANGER},
    )
    output, errors = job.outputs(folder)
    async with client:
        return await refresh_balances(
            CsvSource(folder / "members.csv"),
            sink_of(job, output),
            client,
            by="email",
            keep=job.keep,
            currencies=[CurrencyEid(f"points-{n}") for n in range(job.currencies)],
            errors_to=sink_of(job, errors),
            max_failed=job.rows,
            run_id=job.run_id,
            fresh=job.fresh,
            **further,
        )


def run(folder, job, log):
    """`refresh`, in this process, as its only work."""
    return asyncio.run(refresh(folder, job, log))


def has_what_it_needs(format_):
    """Whether the packages are there that `format_` needs; they are imported then."""
    with contextlib.suppress(ImportError):
        if format_ in {"parquet", "folder"}:
            import pyarrow.compute
            import pyarrow.parquet  # noqa: F401

            import altcraft_balance.refresh.files.parquet_sink  # noqa: F401
        elif format_ == "csv.zst":
            from altcraft_balance.refresh.files.compression import packer_of

            packer_of(Path("a.zst"))
        return True
    return False
