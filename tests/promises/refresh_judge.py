"""What must hold of a refresh's files after a crash, and at its end; each breach is a sentence."""

import csv
import stat
from collections import Counter

from tests.promises.refresh_run import CANARY, IN_FLIGHT, OLD

INPUT = "members.csv"


def outcome(folder, job):
    """All that a run leaves: the outputs as they are, the state by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name != INPUT and path.is_file():
            found[name] = "" if ".altcraft-balance" in name else content(path, job)
    return found


def content(path, job):
    """What a file holds; behind a server with faults, without what time and chance decide."""
    data = path.read_bytes()
    if not job.faults or data == OLD or "errors" in path.name:
        return data
    rows = csv.reader(data.decode().splitlines())
    return [row[:-2] for row in rows]  # attempts and looked_up_at come last


def below(path, folder, found):
    """The part of an `outcome` that is at `path`."""
    name = str(path.relative_to(folder))
    return {key: data for key, data in found.items() if key.split("/")[0] == name}


def after_crash(folder, job, whole):
    """What is wrong after a crash; `whole` is what an uninterrupted run leaves."""
    yield from _open_to_others(folder)
    yield from _addresses(folder)
    there = outcome(folder, job)
    for path in job.outputs(folder):
        now = below(path, folder, there)
        # A folder cannot take another one's name in one step: for a moment there is none, and then
        # it still holds the old one, where no reader looks.
        is_old = list(now.values()) == [OLD] or (job.is_folder(path) and not now)
        new = {name: data for name, data in now.items() if "/_replaced/" not in name}
        if not (is_old if job.overwrite else not now) and new != below(path, folder, whole):
            yield f"{path.name} is neither what was there before nor whole"


def at_end(folder, job, whole):
    """What is wrong when the run has finished."""
    yield from _open_to_others(folder)
    there = outcome(folder, job)
    if more := sorted(there.keys() - whole.keys()):
        yield f"left behind: {more}"
    for name, data in whole.items():
        if there.get(name) != data:
            yield f"{name} differs from what a run makes that nobody interrupts"


def repeats(log):
    """How many questions were asked again, as the platform wrote them down."""
    lines = log.read_bytes().decode().splitlines()
    asked = Counter(line for line in lines if line.startswith("asked"))
    return asked.total() - len(asked)


def too_many(repeats, job, kills):
    """What is wrong with so many repeats: a kill costs what was in flight, and 500 rows."""
    allowed = kills * (IN_FLIGHT + job.uncommitted_rows * job.currencies)
    if repeats > allowed:
        yield f"{repeats} were asked again, where {allowed} may be"


def points(log, word="killed"):
    """Where it was killed, in order."""
    lines = log.read_bytes().decode().splitlines()
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(word)]


def failed(log):
    """Which call failed first; "" when none did."""
    return "".join(points(log, "failed")[:1])


def _open_to_others(folder):
    for path in folder.rglob("*"):
        if path.name == INPUT:
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and mode != 0o600:
            yield f"{path.name} has mode {mode:o}"
        if path.name == ".altcraft-balance" and mode != 0o700:
            yield f"the state has mode {mode:o}"


def _addresses(folder):
    """Whether anything but the input and the outputs holds a member's address."""
    for path in folder.rglob("*"):
        is_state = ".altcraft-balance" in path.parts or path.name.endswith(".lock")
        if is_state and path.is_file() and CANARY.encode() in path.read_bytes():
            yield f"{path.name} holds an address"
