"""What is committed is there, wholly; what cannot be read is told, and never taken for nothing."""

import sqlite3
import stat

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state import checkpoint as checkpoint_module
from altcraft_balance.refresh.state.checkpoint import (
    VERSION,
    FileCheckpoint,
    NoCheckpoint,
    look_into,
)
from tests.watches.leftovers import descriptors

ANSWER = ["1.50", None, "points", 123, "found", None, None, None, 1, "2026-11-26T12:00:00+00:00"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "check point?.sqlite"


@pytest.fixture
def opened(path):
    """Opens the checkpoint; all are closed at the end."""
    checkpoints = []

    def opened():
        checkpoints.append(FileCheckpoint(path))
        return checkpoints[-1]

    yield opened
    for checkpoint in checkpoints:
        checkpoint.close()


class Broken:
    """A database that fails in this way."""

    def __init__(self, error):
        self._error = error

    def execute(self, *_):
        raise self._error

    def close(self):
        pass


def test_a_commit_is_one_transaction(opened):
    """New answers and what goes with them, or neither; one statement is a transaction as it is."""
    checkpoint, said = opened(), []
    checkpoint.commit({}, [(1, [ANSWER])], 0)
    checkpoint._database.set_trace_callback(said.append)
    checkpoint.commit({}, [(2, [ANSWER])], 2)
    assert [words.split()[0] for words in said] == ["BEGIN", "INSERT", "DELETE", "COMMIT"]
    said.clear()
    checkpoint.commit({}, [(3, [ANSWER])], 2)
    assert [words.split()[0] for words in said] == ["INSERT"]


def test_a_full_disk_is_told_and_nothing_is_half(opened):
    """SQLite is full in the middle of a commit: one sentence, and the commit before stands."""
    checkpoint = opened()
    checkpoint.commit({"n": 1}, [], 0)
    checkpoint._database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(OSError, match=r"sqlite cannot be written: .*full; nothing is lost") as told:
        checkpoint.commit({"n": 2}, [(number, [ANSWER]) for number in range(999)], 0)
    assert told.value.errno == 28
    assert (checkpoint.known(), checkpoint.last_row()) == ({"n": 1}, -1)


def test_only_its_owner_can_read_it(opened, path):
    """Nor the files that SQLite lays beside it."""
    opened().commit({"n": 1}, [(1, [ANSWER])], 0)
    modes = {stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert (len(list(path.parent.iterdir())), modes) == (3, {0o600})


@pytest.mark.parametrize("version", [VERSION + 1, 99])
def test_another_version_is_refused(opened, path, version):
    """One sentence says which it is, and what to do; the file stays as it is."""
    opened()._database.execute(f"PRAGMA user_version = {version}")
    for look in (FileCheckpoint, look_into):
        with pytest.raises(ConfigurationError, match=rf"is of version {version}, .*fresh=True$"):
            look(path)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)
    database.close()


def test_a_file_that_is_no_checkpoint_is_refused(path):
    """One sentence names it."""
    path.write_bytes(b"a letter to somebody " * 100)
    with pytest.raises(ConfigurationError, match=r"cannot be used: file is not a database; drop"):
        FileCheckpoint(path)
    assert path.read_bytes().startswith(b"a letter")


@pytest.mark.parametrize("trouble", ["no checkpoint", "another version", "no tables"])
def test_what_cannot_be_used_is_closed(opened, path, monkeypatch, trouble):
    """A file that is refused is not kept open until somebody collects it."""
    if trouble == "no checkpoint":
        path.write_bytes(b"a letter to somebody " * 100)
    elif trouble == "another version":
        made = opened()
        made._database.execute(f"PRAGMA user_version = {VERSION + 1}")
        made.close()  # SQLite keeps files of one process open while another of them has a lock
    else:
        monkeypatch.setattr(checkpoint_module, "_LAYOUT", "CREATE TABLE blocks (((;")
    before = descriptors()
    with pytest.raises((ConfigurationError, OSError)) as told:
        FileCheckpoint(path)
    assert told.tb is not None  # its frames hold what was opened
    assert descriptors() == before


def test_a_crash_before_the_tables_leaves_nothing_known(opened, path):
    """An empty file is a checkpoint that knows nothing yet."""
    path.touch()
    assert look_into(path) == {}
    assert opened().known() == {}


def test_a_disk_that_cannot_read_is_told(opened):
    """An I/O error is never taken for a checkpoint that knows nothing: all would be asked again."""
    checkpoint = opened()
    real, checkpoint._database = (
        checkpoint._database,
        Broken(sqlite3.OperationalError("disk I/O error")),
    )
    for read in (checkpoint.known, checkpoint.last_row, lambda: checkpoint.answers(0, 1)):
        with pytest.raises(OSError, match=r"cannot be written: disk i/o error; nothing is lost"):
            read()
    real.close()


def test_a_damaged_one_is_told(opened):
    """What no repetition will mend is to be dropped, and the sentence says how."""
    checkpoint = opened()
    real, checkpoint._database = (
        checkpoint._database,
        Broken(sqlite3.DatabaseError("database disk image is malformed")),
    )
    with pytest.raises(ConfigurationError, match=r"is malformed; drop .* with fresh=True$"):
        checkpoint.known()
    real.close()


def test_others_may_look_while_it_is_written(opened, path):
    """A look sees what was committed last, and stops nobody."""
    checkpoint = opened()
    for number in range(5):
        checkpoint.commit({"n": number}, [], 0)
        assert look_into(path) == {"n": number}


def test_without_a_file_nothing_is_kept():
    """What goes to standard output cannot be taken up again."""
    checkpoint = NoCheckpoint()
    checkpoint.commit({"n": 1}, [(1, [ANSWER])], 0)
    known = (checkpoint.known(), checkpoint.last_row(), checkpoint.answers(0, 9))
    assert known == ({}, -1, {})
    checkpoint.close()
