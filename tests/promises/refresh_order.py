"""Watches in which order a refresh makes things durable, and prints what a power loss could take.

A kill leaves what the system has not yet written; a power loss does not. So before each commit, all
that was written must have been synced, and the folders of what was made, too; before a file gets
its name it must have been synced, and its new name soon after.
"""

import os
from pathlib import Path

from tests.promises.child import answer, options_of
from tests.promises.refresh_forks import place
from tests.promises.refresh_points import Points
from tests.promises.refresh_run import Job, has_what_it_needs, prepare, run


class Order(Points):
    """Keeps in mind what is not durable.

    Attributes:
        dirty: files that were written, and not synced.
        unnamed: folders that have got or lost a name, and were not synced.
        commits: how many there were.
        wrong: what was not durable when it had to be.
    """

    def __init__(self, state):
        super().__init__(0, 2)
        self.dirty, self.unnamed, self.wrong = set(), set(), []
        self._state, self.commits = state, 0

    def _call(self, name, function, arguments, named):
        if name == "commit":
            self.commits += 1
            self._must_be_durable("at a commit", self.dirty | self.unnamed)
        elif name == "replace":
            self._must_be_durable("at a rename", self.dirty & {path_of(arguments[0])})
        is_new = name in {"open", "mkdir"} and not os.path.lexists(arguments[0])
        result = function(*arguments, **named)
        if name in {"write", "pwrite", "ftruncate"}:
            self.dirty.add(path_of(arguments[0]))
        elif name == "fsync":
            self.dirty.discard(path_of(arguments[0]))
            self.unnamed.discard(path_of(arguments[0]))
        elif name == "replace":
            self.unnamed.add(path_of(arguments[1]).parent)
        elif is_new and not str(arguments[0]).endswith(".lock"):  # of no use before its output
            self.unnamed.add(path_of(arguments[0]).parent)
        return result

    def at_end(self):
        """The run has finished."""
        self._must_be_durable("at the end", self.dirty | self.unnamed)

    def _must_be_durable(self, when, paths):
        for path in sorted(paths):
            # SQLite syncs what is its own, and nobody misses what has been removed.
            if path != self._state / "night" and path.exists():
                self.wrong.append(f"{path.name} {when}")


def path_of(place):
    """The path of a descriptor or a path."""
    return Path(f"/proc/self/fd/{place}" if isinstance(place, int) else place).resolve()


def watched(format_):
    """What was wrong in a run, and how often it was looked."""
    job = Job(format=format_, rows=60, block_rows=15, chunk_rows=25, currencies=1)
    with place() as above:
        folder = above.resolve() / "run"
        folder.mkdir()
        prepare(folder, job)
        with (above / "log").open("ab") as notes:
            order = Order(folder / ".altcraft-balance")
            order.install()
            assert run(folder, job, notes.fileno()).is_finished
            order.at_end()
    return {"wrong": order.wrong, "commits": order.commits}


if __name__ == "__main__":
    asked = options_of(__doc__, format="csv")
    assert has_what_it_needs(asked.format)
    answer(watched(asked.format))
