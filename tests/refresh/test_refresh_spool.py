"""Standard input as a file: called by its content, for its owner alone, gone when it may go."""

import io

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.spool import spooled

TEXT = b"email\na@example.com\n"


def test_it_is_there_within_and_gone_afterwards(tmp_path):
    """With its folder, which nobody else needed."""
    state = tmp_path / "state"
    with spooled(io.BytesIO(TEXT), state) as spool:
        assert spool.path.read_bytes() == TEXT
        assert spool.path.parent == state
        assert spool.path.stat().st_mode & 0o777 == 0o600
    assert not state.exists()


def test_what_a_run_goes_on_with_is_kept(tmp_path):
    """The same content is the same file, whichever process reads it next."""
    paths = []
    for _ in range(2):
        with spooled(io.BytesIO(TEXT), tmp_path) as spool:
            paths.append(spool.path)
            spool.is_kept = True
    assert paths[0] == paths[1]
    assert list(tmp_path.iterdir()) == [paths[0]]
    with spooled(io.BytesIO(TEXT), tmp_path / "."):
        pass
    assert not tmp_path.exists()


def test_another_content_is_another_file(tmp_path):
    """So two runs do not meet."""
    with spooled(io.BytesIO(TEXT), tmp_path) as one, spooled(io.BytesIO(b"x"), tmp_path) as other:
        assert one.path != other.path


def test_one_process_at_a_time_has_it(tmp_path):
    """The second is refused, and takes nothing from the first."""
    with spooled(io.BytesIO(TEXT), tmp_path) as spool:
        again = spooled(io.BytesIO(TEXT), tmp_path)
        with pytest.raises(ConfigurationError, match="another process is refreshing"), again:
            pass
        assert list(tmp_path.iterdir()) == [spool.path]


def test_without_a_state_it_lies_in_a_temporary_folder(tmp_path, monkeypatch):
    """Which goes, whatever is wished."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with spooled(io.BytesIO(TEXT), None) as spool:
        spool.is_kept = True
        assert tmp_path in spool.path.parents
        assert spool.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_a_reading_that_fails_leaves_nothing(tmp_path):
    """Whatever ends it."""

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), spooled(Broken(), tmp_path / "state"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    """One sentence, and nothing is left."""

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("altcraft_balance.refresh.files.spool.disk.write_all", full)
    state = tmp_path / "state"
    with pytest.raises(OSError, match="written: no space"), spooled(io.BytesIO(TEXT), state):
        pass
    assert list(tmp_path.iterdir()) == []
