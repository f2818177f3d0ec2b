"""A run's folder is one process's, for its owner alone, and goes when it is of no use."""

import os
import stat

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.state import folder as folder_module
from altcraft_balance.refresh.state.folder import (
    CHECKPOINT,
    FINISHED,
    STATE,
    RunFolder,
    checked_run_id,
    drop_run,
    usual_state,
)
from tests.watches.leftovers import descriptors


@pytest.fixture
def folder(tmp_path):
    """Makes the folder of the run ``night``; all are let go at the end."""
    folders = []

    def folder(run_id="night"):
        made = RunFolder(tmp_path / "above" / "state", run_id)
        folders.append(made)
        return made

    yield folder
    for made in folders:
        made.let_go()


def names(path):
    return sorted(entry.name for entry in path.iterdir())


@pytest.mark.parametrize("run_id", ["", ".", "..", "-a", "a/b", "a b", "a\n", "é", "a" * 65])
def test_a_name_that_is_no_folder_s_is_refused(run_id):
    """A run's name cannot lead out of the state, nor look like an option."""
    with pytest.raises(ConfigurationError, match="run_id must be made of letters"):
        checked_run_id(run_id)
    assert checked_run_id("2026-11-26_a.b") == "2026-11-26_a.b"


def test_the_state_lies_beside_the_output(tmp_path, monkeypatch):
    """Wherever the process is, later as well."""
    monkeypatch.chdir(tmp_path)
    assert usual_state(folder_module.Path("out.csv")) == tmp_path / ".altcraft-balance"


def test_it_is_for_its_owner_alone(folder):
    """Nobody else can look into the state, or into what lies there."""
    made = folder()
    checkpoint = made.checkpoint()
    checkpoint.commit({"a": 1}, [], 0)
    for path in (made.path, made.path.parent, made.path.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.path.iterdir()} == {0o600}
    checkpoint.close()


def test_a_run_is_one_process_s(folder):
    """The same run is refused; another one has a folder of its own."""
    folder()
    with pytest.raises(
        ConfigurationError, match=r"^the run night is under way in another process$"
    ):
        folder()
    folder("day")


def test_a_finished_run_keeps_only_that(folder):
    """What a crash has left beside it goes when somebody asks."""
    made = folder()
    made.checkpoint().close()
    spool = made.spool()
    spool.begin()
    spool.finish({})
    spool.close()
    (made.path / "input").write_bytes(b"spooled")
    assert names(made.path) == ["checkpoint.sqlite", "input", "rows.spool"]
    assert made.finished() is None
    made.finish({"rows": 3})
    assert (names(made.path), made.finished()) == (["finished.json"], {"rows": 3})
    (made.path / CHECKPOINT).touch()
    made.tidy()
    assert names(made.path) == ["finished.json"]


def test_a_damaged_end_is_none(folder):
    """Half a file does not say that a run has finished."""
    made = folder()
    (made.path / FINISHED).write_bytes(b'{"rows"')
    assert made.finished() is None


def test_the_checkpoint_goes_before_its_journal(folder, monkeypatch):
    """A crash in between leaves a journal without a file, which SQLite drops."""
    made, gone = folder(), []
    for name in ("a", CHECKPOINT, f"{CHECKPOINT}-shm", f"{CHECKPOINT}-wal"):
        (made.path / name).touch()
    unlink = os.unlink
    monkeypatch.setattr(os, "unlink", lambda path: (gone.append(path.name), unlink(path)))
    made.drop()
    assert gone[0] == CHECKPOINT
    assert names(made.path) == []


def test_a_folder_without_anything_goes(folder, tmp_path):
    """It and the state above it; what another run has there stays."""
    one, other = folder("one"), folder("other")
    one.let_go()
    assert names(tmp_path / "above" / "state") == ["other"]
    (other.path / "a").touch()
    other.let_go()
    assert names(other.path) == ["a"]


@pytest.mark.parametrize(("name", "was_there", "goes"), [
    ("state", False, True),
    ("state", True, False),
    (STATE, True, True),
    (STATE, False, True),
])  # fmt: skip
def test_a_state_that_was_there_stays(tmp_path, name, was_there, goes):
    """It may be a folder of the user's; but not if it has the name that we give."""
    state = tmp_path / name
    if was_there:
        state.mkdir()
    RunFolder(state, "night").let_go()
    assert state.exists() != goes


# -- a run that is dropped by another --


def test_a_run_whose_output_is_taken_over_is_dropped(folder, tmp_path):
    """With its folder; another process may have the same run at once."""
    made = folder()
    made.checkpoint().close()
    state = made.path.parent
    made.let_go()
    before = descriptors()
    drop_run(state, "night")
    assert not made.path.exists()
    assert descriptors() == before


def test_what_is_no_unfinished_run_stays(folder, tmp_path):
    """A run without a checkpoint has finished, or is somebody else's folder."""
    made = folder()
    made.finish({})
    made.let_go()
    state = made.path.parent
    for run_id in ("night", "day", "", "..", "/etc"):
        drop_run(state, run_id)
    assert (names(state), names(made.path)) == (["night"], ["finished.json"])
    (state.parent / CHECKPOINT).touch()
    drop_run(state, "..")
    assert (state.parent / CHECKPOINT).exists()


def test_a_run_that_is_under_way_is_not_dropped(folder):
    """Its process keeps all it has."""
    made = folder()
    made.checkpoint().close()
    drop_run(made.path.parent, "night")
    assert names(made.path) == [CHECKPOINT]


def test_a_folder_that_goes_meanwhile_is_made_again(folder, monkeypatch):
    """A process that lets it go may remove it between its making and its lock."""
    make, times = folder_module.disk.make_folder, []

    def make_and_lose(path):
        make(path)
        times.append(path.name)
        if times.count("night") == 1 and path.name == "night":
            path.rmdir()
            path.parent.rmdir()

    monkeypatch.setattr(folder_module.disk, "make_folder", make_and_lose)
    made = folder()
    assert made.path.is_dir()
    assert times.count("night") == 2


def test_a_file_in_its_place_is_told(tmp_path):
    """The state cannot be a file: one sentence that names it."""
    (tmp_path / "state").touch()
    with pytest.raises(OSError, match=r"state/night cannot be written: .*; nothing is lost"):
        RunFolder(tmp_path / "state", "night")
