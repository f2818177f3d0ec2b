"""The table that a session prints of its promises and writes as JSON; what full runs remember.

A line of it is a plain dict, so that it travels in a report's properties and in a file. The full
size takes hours, so each promise that held is written down as it ends, for this very state of the
tree, and a later run goes on from there. With pytest-xdist the workers only look up what is done;
the reports meet at the controller, and it alone prints and writes.
"""

import hashlib
import json
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD = ("row", "promise", "tried", "failed", "figure", "time")


class Stated:
    """What one test promises, and what came of it.

    Attributes:
        line: its line in the table.
    """

    def __init__(self, row, title):
        self.line = {"row": str(row), "promise": title}

    def came(self, *, tried, failed, figure, why=""):
        """So many cases were tried and so many failed, of which there may be none."""
        self.line |= {"tried": tried, "failed": failed, "figure": figure}
        assert tried > 0, "nothing was tried"
        assert failed == 0, f"{failed} of {tried} failed: {figure}\n{why}"


class PromiseTable:
    """Collects the lines of a session, prints them at its end and writes them as JSON."""

    def __init__(self, config):
        self._lines, self._scale = {}, config.getoption("scale")
        self._is_worker = hasattr(config, "workerinput")
        self._file = self._tree = None
        cache = getattr(config, "cache", None)  # missing with -p no:cacheprovider
        folder = None if cache is None else cache.mkdir("promises")
        if self._scale == "full" and folder is not None:
            self._file, self._tree = folder / "full.jsonl", state_of(ROOT)
        self._done = read_done(self._file, self._tree)
        asked = config.getoption("promises_json")
        self._json = Path(asked) if asked else folder and folder / "table.json"

    def done(self, nodeid):
        """The line that an earlier full run has written for this test and this tree, or None."""
        return self._done.get(nodeid)

    def pytest_runtest_logreport(self, report):
        stated = dict(report.user_properties).get("promise")
        if stated is None or self._is_worker:
            return
        if report.when == "call":
            line = self._lines[report.nodeid] = dict(stated)
            line.setdefault("time_s", round(report.duration, 2))
            # Skipped since an earlier run has written it down, which it does for what held alone.
            line["earlier"] = report.skipped and self.done(report.nodeid) is not None
            line["held"] = report.passed or line["earlier"]
        elif report.when == "teardown" and report.nodeid in self._lines:
            line = self._lines[report.nodeid]
            line["held"] = line["held"] and report.passed
            if line["held"] and not line["earlier"]:
                self._write(report.nodeid, line)

    def _write(self, nodeid, line):
        if self._tree is not None:
            entry = {"tree": self._tree, "nodeid": nodeid, "line": line}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def pytest_terminal_summary(self, terminalreporter):
        if self._lines:
            terminalreporter.section(f"promises, {self._scale} size")
            for text in drawn(self._lines.values()):
                terminalreporter.write_line(text)
            if self._json is not None:
                self._json.write_text(as_json(self._scale, self._lines), encoding="utf-8")
                terminalreporter.write_line(f"as JSON: {self._json}")


def as_json(scale, lines):
    """The table as JSON: its size, the state of the tree, and a line for each test, by row."""
    promises = [line | {"nodeid": nodeid} for nodeid, line in lines.items()]
    table = {"scale": scale, "tree": state_of(ROOT), "promises": sorted(promises, key=_place)}
    return json.dumps(table, indent=1) + "\n"


def read_done(file, tree):
    """The lines that `file` has for this state of the tree, by test."""
    if tree is None or not file.exists():
        return {}
    entries = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {entry["nodeid"]: entry["line"] for entry in entries if entry["tree"] == tree}


def drawn(lines):
    """The table as lines of text, ordered by row."""
    cells = [HEAD, *map(_cells, sorted(lines, key=_place))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if name in {"row", "tried", "failed", "time"} else text.ljust(width)
            for name, text, width in zip(HEAD, texts, widths, strict=True)
        )
        for texts in cells
    ]


def _place(line):
    number, letter = re.fullmatch(r"(\d+)(\w*)", line["row"]).groups()
    return int(number), letter, line["promise"]


def _cells(line):
    time = f"{line['time_s']:.1f} s"
    if line["earlier"]:
        time += " (earlier)"
    figure = line.get("figure", "")
    if not line["held"] and not line["earlier"]:
        figure = f"BROKEN; {figure}" if figure else "BROKEN before its end"
    tried, failed = (f"{line[name]:,}" if name in line else "?" for name in ("tried", "failed"))
    return line["row"], line["promise"], tried, failed, figure, time


def state_of(root):
    """The commit, what was changed since and the Python, in one word; None when git cannot say."""
    try:
        head = _git(root, "rev-parse", "HEAD").decode().strip()
        changes = [_git(root, "diff", "--binary", "HEAD")]
        names = _git(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
        changes += [name + (root / name.decode()).read_bytes() for name in names if name]
    except (OSError, subprocess.CalledProcessError):
        return None
    kind = "dirty-" + hashlib.sha256(b"".join(changes)).hexdigest()[:16]
    return f"{head}-{kind if any(changes) else 'clean'}-{platform.python_version()}"


def _git(root, *words):
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout
