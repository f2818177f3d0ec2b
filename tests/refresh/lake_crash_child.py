"""Kills a run into an object store at every call that changes it, and lets others go on with it.

A process of its own for each attempt, forked from this one: it ends as by ``kill -9``. Prints one
line for each difference that it finds, and at the end how many crash points there were.
"""

import os
import sys
from itertools import count
from pathlib import Path

from altcraft_balance.refresh.files.arrow import arrow_for
from altcraft_balance.refresh.files.lake import Lake
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Column, Opening
from tests.refresh.lakes import connect_to_folder, listing, parts_of
from tests.refresh.parquet_crash_child import Checkpoint

COLUMNS = (Column("id"), Column("amount", "amount"))
CHUNK_ROWS = 10
CHANGES = ("put", "_remove", "remove_folder", "_copy")
KILLED = 9
OLD_PARTS = 5


def rows_of(rows, run="new"):
    return [[f"{run}{number}", f"{number}.50"] for number in range(rows)]


def die_at(number, when):
    """Let this process die before, or after, its call `number` of those that change the store."""
    calls = count(1)

    def deadly(call):
        def wrapped(*args):
            is_last = next(calls) == number
            if is_last and when == "before":
                os._exit(KILLED)
            call(*args)
            if is_last:
                os._exit(KILLED)

        return wrapped

    for name in CHANGES:
        setattr(Lake, name, deadly(getattr(Lake, name)))


def run(url, state_path, rows):
    state = Checkpoint(state_path)
    sink = ParquetSink(url, overwrite=True)
    sink.open(
        Opening(run_id="r", claim="c", columns=COLUMNS, token=state.token, is_whole=state.is_whole)
    )
    while not state.is_whole:
        end = min(state.row + CHUNK_ROWS, len(rows))
        sink.write(rows[state.row : end])
        state.row, state.token = end, sink.sync()
        state.is_whole = end == len(rows)
        state.save()
    sink.finish()
    sink.close()


def forked(work):
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def attempt(url, state, rows, die):
    def work():
        if die:
            die_at(*die)
        run(url, state, rows)

    return forked(work)


def begin(url, state):
    """An earlier, longer run lies there."""
    state.unlink(missing_ok=True)

    def work():
        sink = ParquetSink(url, overwrite=True)
        sink.open(Opening(run_id="old", columns=COLUMNS, fresh=True))
        for row in rows_of(OLD_PARTS, "old"):
            sink.write([row])
            sink.sync()
        sink.finish()
        sink.close()

    assert forked(work) == 0


def seen(url):
    """What a reader sees who looks for ``_SUCCESS``."""
    return parts_of(url) if "_SUCCESS" in listing(url) else None


def looked(url):
    """The same, in a process of its own: S3's library does not survive a fork."""
    reader, writer = os.pipe()

    def work():
        os.close(reader)
        os.write(writer, repr((seen(url), listing(url))).encode())

    code = forked(work)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        text = file.read().decode()
    assert code == 0
    from decimal import Decimal

    return eval(text, {"Decimal": Decimal})


def check(url, state, rows, old, expected, number, when, times):
    """Look at a run that is killed so often; False when `number` was behind its last call."""
    begin(url, state)
    is_first = True
    for deaths in range(times + 1):
        code = attempt(url, state, rows, (number, when) if deaths < times else None)
        if code == 0:
            break
        is_first = False
        if code != KILLED:
            print(f"{when} {number}: exit {code}")
            return True
        if looked(url)[0] not in (None, old, expected):
            print(f"{when} {number}: _SUCCESS where there is a half")
    there, names = looked(url)
    if there != expected:
        print(f"{when} {number}: other rows")
    if names != sorted(["_SUCCESS", *expected]):
        print(f"{when} {number}: left {names}")
    return not is_first


def main(url, state, count_of_rows, step, times):
    arrow_for("once for all, since each process below is a copy of this one")
    if "?" not in url:
        Lake.connect = connect_to_folder
    state, rows = Path(state), rows_of(count_of_rows)
    begin(url, state)
    old = looked(url)[0]
    assert len(old) == OLD_PARTS
    assert attempt(url, state, rows, None) == 0
    expected = looked(url)[0]
    assert [row["id"] for part in expected.values() for row in part] == [row[0] for row in rows]
    points = 0
    for when in ("before", "after"):
        number = 1 if when == "after" else step
        while check(url, state, rows, old, expected, number, when, times):
            number += step
            points += 1
    print(points)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
