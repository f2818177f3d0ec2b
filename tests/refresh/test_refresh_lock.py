"""One process has a lock, and nobody has that of another."""

import fcntl
import os
import stat
import sys
import time

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state.lock import Lock, is_locked
from tests.watches.leftovers import descriptors


def test_a_second_one_is_refused(tmp_path):
    """Whoever comes second gets the sentence; when the first one lets go, it may have it."""
    path = tmp_path / "a.lock"
    first = Lock(path, "it is taken")
    assert is_locked(path)
    with pytest.raises(ConfigurationError, match=r"^it is taken$"):
        Lock(path, "it is taken")
    first.let_go()
    first.let_go()
    assert not is_locked(path)
    Lock(path, "it is taken").let_go()


def test_a_note_replaces_the_one_before(tmp_path):
    """What the file says is what was noted last, and only its owner can read it."""
    lock = Lock(tmp_path / "a.lock", "")
    assert lock.read() == ""
    lock.note("a long name")
    lock.note("short")
    assert lock.read() == "short"
    lock.note("")
    assert lock.read() == ""
    (tmp_path / "a.lock").write_bytes(b"\xff")  # whatever somebody has written there
    assert lock.read() == "\ufffd"
    assert stat.S_IMODE((tmp_path / "a.lock").stat().st_mode) == 0o600
    lock.let_go()


def test_a_file_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    """Between opening and locking, its owner may remove it: then another one is made and locked."""
    path, removed, flags = tmp_path / "a.lock", [], []
    really_open = os.open

    def open_and_lose(place, how, mode=0o777):
        descriptor = really_open(place, how, mode)
        flags.append(how)
        if not removed:
            removed.append(path.unlink())
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    lock = Lock(path, "")
    assert (len(flags), lock.is_there()) == (2, True)
    path.unlink()
    assert not lock.is_there()
    path.touch()
    assert not lock.is_there()
    lock.let_go()


def test_a_folder_never_comes_back_as_a_file(tmp_path):
    """A folder that somebody has removed is not there: nothing is made in its place."""
    folder = tmp_path / "run"
    with pytest.raises(FileNotFoundError):
        Lock(folder, "", is_folder=True)
    assert not folder.exists()
    folder.mkdir()
    lock = Lock(folder, "", is_folder=True)
    assert is_locked(folder)
    lock.let_go()


def test_looking_makes_nothing(tmp_path):
    """Whoever asks about a lock that is not there leaves no file."""
    assert not is_locked(tmp_path / "a.lock")
    assert list(tmp_path.iterdir()) == []


def test_who_only_looks_is_no_owner(tmp_path):
    """Two may look at once."""
    path = tmp_path / "a.lock"
    path.touch()
    with path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_a_system_without_locks_is_told(tmp_path, monkeypatch):
    """Nothing keeps two runs apart there."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(ConfigurationError, match="needs a system with flock"):
        Lock(tmp_path / "a.lock", "")
    assert not (tmp_path / "a.lock").exists()


def test_no_descriptor_is_left(tmp_path):
    """Neither a refusal nor a lock that was let go keeps one."""
    before = descriptors()
    lock = Lock(tmp_path / "a.lock", "")
    for _ in range(3):
        with pytest.raises(ConfigurationError):
            Lock(tmp_path / "a.lock", "taken")
        is_locked(tmp_path / "a.lock")
    lock.let_go()
    assert descriptors() == before


def test_one_that_was_let_go_keeps_no_number(tmp_path, monkeypatch):
    """Also where the system gives it the number 0, as in a process without standard input."""
    lock, closed = Lock(tmp_path / "a.lock", ""), []
    really, lock._descriptor = lock._descriptor, 0
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", closed.append)
        lock.let_go()
        lock.let_go()
    assert closed == [0]
    os.close(really)


def test_who_only_looks_is_waited_for(tmp_path, monkeypatch):
    """A moment, five times: then it is another run's."""
    path, pauses, looking = tmp_path / "a.lock", [], []
    path.touch()

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 4:
            looking.pop().let_go()

    monkeypatch.setattr(time, "sleep", pause)
    looking.append(Lock(path, ""))
    Lock(path, "taken").let_go()
    assert pauses == [0.02] * 4
    looking.append(Lock(path, ""))
    with pytest.raises(ConfigurationError, match="taken"):
        Lock(path, "taken")
    assert pauses == [0.02] * 9
    looking.pop().let_go()
