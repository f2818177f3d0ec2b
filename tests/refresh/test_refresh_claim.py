"""One output belongs to one run, from its claim until it has its name."""

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.claim import Claim, partial_of
from altcraft_balance.refresh.port import Opening


@pytest.fixture
def claim(tmp_path):
    """Claims ``out.csv`` for a run; all claims are let go at the end."""
    claims = []

    def claim(run_id="a", *, overwrite=False, **opening):
        made = Claim(
            tmp_path / "out.csv",
            Opening(run_id=run_id, columns=(), **opening),
            overwrite=overwrite,
        )
        claims.append(made)
        return made

    yield claim
    for made in claims:
        made.let_go()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_grows_beside_its_name_and_gets_it_at_the_end(claim, tmp_path):
    """Until it is whole there is nothing under its name; then there is nothing else."""
    mine = claim()
    mine.partial.write_text("whole")
    assert names(tmp_path) == ["out.csv.lock", "out.csv.partial"]
    mine.publish()
    mine.publish()
    mine.let_go()
    assert names(tmp_path) == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "whole"


def test_two_at_once_are_refused(claim):
    """The second one gets a sentence, whatever run it is of."""
    claim("a")
    for run_id in ("a", "b"):
        with pytest.raises(ConfigurationError, match=r"out\.csv is being written by another run$"):
            claim(run_id)


def test_what_is_there_stays_unless_it_may_be_replaced(claim, tmp_path):
    """An output that exists is refused at the beginning, and when it has come meanwhile."""
    mine = claim()
    mine.partial.write_text("new")
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(ConfigurationError, match=r"out\.csv exists: name another output, or"):
        mine.publish()
    mine.let_go()
    with pytest.raises(ConfigurationError, match=r"out\.csv exists"):
        claim()
    assert (tmp_path / "out.csv").read_text() == "old"
    claim(overwrite=True).publish()
    assert (tmp_path / "out.csv").read_text() == "new"


def test_an_unfinished_one_belongs_to_its_run(claim, tmp_path):
    """Another run is told whose it is; with fresh it may drop it, without it that run goes on."""
    mine = claim("night")
    mine.partial.write_text("half")
    mine.let_go()
    with pytest.raises(ConfigurationError, match=r"belongs to the unfinished run night: repeat"):
        claim("day")
    claim("night").let_go()
    assert partial_of(tmp_path / "out.csv").read_text() == "half"
    claim("day", fresh=True).let_go()
    assert names(tmp_path) == []


def test_a_partial_file_of_nobody_is_not_touched(claim, tmp_path):
    """A file that has the name by chance is somebody's."""
    partial_of(tmp_path / "out.csv").write_text("a letter")
    with pytest.raises(ConfigurationError, match=r"belongs to a run that is not known here"):
        claim()
    assert partial_of(tmp_path / "out.csv").read_text() == "a letter"


def test_a_claim_without_an_output_leaves_nothing(claim, tmp_path):
    """Let go before anything has grown, it leaves no file."""
    claim().let_go()
    assert names(tmp_path) == []


def test_another_run_s_lock_is_not_removed(claim, tmp_path):
    """After its output has its name another run may claim it, before the first one has let go."""
    mine = claim("a")
    mine.partial.write_text("whole")
    mine.publish()
    theirs = claim("b", overwrite=True)
    mine.let_go()
    assert names(tmp_path) == ["out.csv", "out.csv.lock"]
    with pytest.raises(ConfigurationError, match="is being written by another run"):
        claim("c", overwrite=True)
    theirs.partial.write_text("theirs")
    theirs.publish()
    assert (tmp_path / "out.csv").read_text() == "theirs"


def test_a_whole_one_may_have_its_name_already(claim, tmp_path):
    """A run that died after the rename does it no second time, and is not refused for it."""
    mine = claim()
    mine.partial.write_text("whole")
    mine.publish()
    mine.let_go()
    claim(is_whole=True).publish()
    assert names(tmp_path) == ["out.csv"]


def test_what_is_discarded_is_gone(claim, tmp_path):
    """Of an output that nobody wants nothing is left."""
    mine = claim()
    mine.partial.write_text("half")
    mine.discard()
    assert names(tmp_path) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """One sentence, and nothing is made."""
    with pytest.raises(ConfigurationError, match=r"cannot be written: there is no folder .*/no$"):
        Claim(tmp_path / "no" / "out.csv", Opening(run_id="a", columns=()), overwrite=False)
    assert names(tmp_path) == []
