"""Commands in children, whose every word is looked at: what they print, log, write and are called.

The server says back what it is told. Each logger is at DEBUG, asyncio in debug mode; every other
child does without uvloop, of which asyncio's log knows nothing.
"""

import asyncio
import contextlib
import csv
import itertools
import os
import sqlite3
import sys
from pathlib import Path
from urllib.parse import quote

from tests.canaries import EMAIL, TOKEN
from tests.fast import fast_environment
from tests.promises.table import ROOT

_LOGGING = """
import logging, os, sys
logging.basicConfig(level=logging.DEBUG, filename=os.environ["CANARY_LOG"])
for name in "aiohttp aiosqlite asyncio sqlalchemy sqlalchemy.engine sqlalchemy.pool".split():
    logging.getLogger(name).setLevel(logging.DEBUG)
if "CANARY_PLAIN_LOOP" in os.environ:
    sys.modules["uvloop"] = None
"""
_LIMIT_S = 120
#: A secret in the URL of a database that nobody can reach.
DSN = f"postgresql://user:{quote(TOKEN, safe='')}@127.0.0.1:1/db"


class Children:
    """Runs the command in `folder` against the server at `url`, and looks at all it says.

    Attributes:
        folder: where the commands run.
        codes: with which codes they have ended.
    """

    def __init__(self, watch, folder, url):
        self._watch, self._number = watch, itertools.count()
        self.folder, self.codes, self._aside = folder / "work", [], folder / "aside"
        self.folder.mkdir()
        self._aside.mkdir()
        (self._aside / "sitecustomize.py").write_text(_LOGGING)
        kept = {k: v for k, v in fast_environment().items() if not k.startswith("ALTCRAFT_")}
        self._environment = kept | {
            "ALTCRAFT_BASE_URL": url,
            "ALTCRAFT_TOKEN": TOKEN,
            "ALTCRAFT_LOYALTY_PROGRAM_ID": "123",
            "CANARY_DSN": DSN,
            "NO_COLOR": "1",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONPATH": os.pathsep.join([str(self._aside), str(ROOT)]),
            "TERM": "dumb",
        }

    async def run(self, *arguments, until=None):
        """Run one to its end, or kill it when `until` says so."""
        number = next(self._number)
        log = self._aside / f"{number}.log"
        further = {"CANARY_LOG": str(log)} | ({"CANARY_PLAIN_LOOP": "1"} if number % 2 else {})
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "altcraft_balance"),
            *arguments,
            cwd=self.folder,
            env=self._environment | further,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        looking = asyncio.create_task(self._look_on(child, until))
        try:
            async with asyncio.timeout(_LIMIT_S):
                told = await child.communicate()
        finally:
            looking.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        for place, text in zip(("stdout", "stderr"), told, strict=True):
            self._watch.look(place, text.decode("utf-8", "replace"))
        self._watch.look("log", log.read_text("utf-8", "replace"))
        self.codes.append(child.returncode)
        return b"".join(told).decode()

    async def _look_on(self, child, until):
        """Look at its command line, and its children's, while it runs."""
        while True:
            for pid in [child.pid, *_children_of(child.pid)]:
                self._watch.look("ps", _command_of(pid))
            if until is not None and until():
                child.kill()
                return
            await asyncio.sleep(0.05)

    def look_at_files(self, inputs, but):
        """Look at every file; `but` says of those that hold data what else is in them."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.name not in inputs:
                name = path.relative_to(self.folder)
                self._watch.look(f"file {name.suffix}", str(name))
                shown = but.get(path.name, Path.read_bytes)(path)
                self._watch.look(f"file {name.suffix}", shown)


def _command_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _children_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def members_into(folder, rows):
    """A file and a database of members, each a canary; the file has bad rows of two kinds."""
    with (folder / "members.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "email"])
        lines.writerows([n, f"{n}{EMAIL}" if n % 17 else f" {EMAIL}\t"] for n in range(rows))
        lines.writerow([rows, EMAIL, "more"])
    with contextlib.closing(sqlite3.connect(folder / "members.db")) as database, database:
        database.execute("CREATE TABLE members (id INTEGER, email TEXT)")
        people = [(number, f"{number}{EMAIL}") for number in range(rows)]
        database.executemany("INSERT INTO members VALUES (?, ?)", people)


def but_member(path):
    """All of a CSV output but its member column."""
    with path.open(newline="", encoding="utf-8") as file:
        return repr([{**row, "member": None} for row in csv.DictReader(file)])


def but_email(path):
    """All of a file of errors but the input's own column."""
    with path.open(newline="", encoding="utf-8") as file:
        return repr([{**row, "email": None} for row in csv.DictReader(file)])


def but_members_table(path):
    """All of a database but the table's member column."""
    told = []
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            rows = map(dict, database.execute(f"SELECT * FROM {name}"))
            told += [repr(row | ({"member": None} if name == "balances" else {})) for row in rows]
    return "\n".join(told)
