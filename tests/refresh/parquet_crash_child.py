"""Kills a Parquet run at every call that changes a file, and lets others go on with it.

A process of its own for each attempt, forked from this one: it ends as by ``kill -9``. Prints one
line for each difference that it finds, and at the end how many crash points there were.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from altcraft_balance.refresh.files.arrow import arrow_for
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Column, Opening

COLUMNS = (Column("id"), Column("amount", "amount"), Column("at", "time"), Column("n", "integer"))
CHUNK_ROWS = 10
CALLS = ("write", "fsync", "replace", "unlink", "rmdir", "mkdir", "ftruncate", "pwrite")
KILLED = 9
replace = os.replace


def rows_of(count):
    return [
        [f"user{n}", f"{n}.50", f"2025-01-02T03:04:{n:02d}+00:00", n if n % 3 else None]
        for n in range(count)
    ]


def die_at(number, when):
    """Let this process die at its call `number` of those that change files.

    Before it, or after it; a write is then cut in half.
    """
    left = [number]

    def deadly(call, name):
        def wrapped(*args, **kwargs):
            left[0] -= 1
            if left[0]:
                return call(*args, **kwargs)
            if when == "within" and name == "write":
                args = (args[0], bytes(args[1])[: len(args[1]) // 2])
            try:
                return when == "before" or call(*args, **kwargs)
            finally:
                os._exit(KILLED)

        return wrapped

    for name in CALLS:
        setattr(os, name, deadly(getattr(os, name), name))


class Checkpoint:
    """What the job itself knows: how far it is, durably."""

    def __init__(self, path):
        self.path = path
        self.row, self.token, self.is_whole = 0, None, False
        if path.exists():
            self.row, self.token, self.is_whole = json.loads(path.read_text())

    def save(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps([self.row, self.token, self.is_whole]))
        replace(new, self.path)


def run(target, state_path, count, batch_rows, overwrite):
    rows, state = rows_of(count), Checkpoint(state_path)
    sink = ParquetSink(target, overwrite=overwrite)
    opening = Opening(run_id="r", columns=COLUMNS, token=state.token, is_whole=state.is_whole)
    sink.open(opening)
    while not state.is_whole:
        end = min(state.row + CHUNK_ROWS, count)
        for start in range(state.row, end, batch_rows):
            sink.write(rows[start : min(start + batch_rows, end)])
        state.row, state.token = end, sink.sync()
        state.is_whole = end == count
        state.save()
    sink.finish()
    sink.close()


def attempt(folder, mode, count, die, batch_rows):
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    code = 1
    try:
        if die:
            die_at(*die)
        target = f"{folder}/out{'/' if mode.startswith('folder') else '.parquet'}"
        run(target, folder.parent / "state", count, batch_rows, mode.endswith("over"))
        code = 0
    finally:
        os._exit(code)


def content(path):
    if path.is_dir():
        return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    return path.read_bytes() if path.exists() else None


def begin(folder, mode):
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    if mode == "folder-over":
        (folder / "out").mkdir()
        (folder / "out" / "part-00000.parquet").write_bytes(b"old")
    elif mode == "file-over":
        (folder / "out.parquet").write_bytes(b"old")


def check(folder, mode, count, expected, number, when):
    """Look at a run that is killed twice; False when `number` was behind its last call."""
    begin(folder, mode)
    target = folder / ("out" if mode.startswith("folder") else "out.parquet")
    old, is_first = content(target), True
    for deaths in range(3):
        die = (number, when) if deaths < 2 else None
        code = attempt(folder, mode, count, die, 1 + (number + deaths) % 12)
        if code == 0:
            break
        is_first = False
        if code != KILLED:
            print(f"{mode} {count} {when} {number}: exit {code}")
            return True
        there = content(target)
        if mode != "folder-over" and there not in (old, expected):
            print(f"{mode} {count} {when} {number}: a half of it under its name")
        if there is None and old is not None:
            kept = content(folder / "out.partial" / "_replaced")
            if kept != old:
                print(f"{mode} {count} {when} {number}: the old one is lost")
    if content(target) != expected:
        print(f"{mode} {count} {when} {number}: other bytes")
    if list(folder.iterdir()) != [target]:
        print(f"{mode} {count} {when} {number}: left {list(folder.iterdir())}")
    return not is_first


def main(base, mode, count):
    arrow_for("once for all, since each process below is a copy of this one")
    folder = Path(base) / "run" / "out"
    begin(folder, mode)
    assert attempt(folder, mode, count, None, 3) == 0
    expected = content(folder / ("out" if mode.startswith("folder") else "out.parquet"))
    assert expected
    points = 0
    for when in ("before", "within"):
        number = 1
        while check(folder, mode, count, expected, number, when):
            number += 1
        points += number - 1
    print(points)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
