"""A place in an object store is one run's from its claim on, and nobody's when that run goes."""

import errno

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.lake import Lake
from altcraft_balance.refresh.files.parquet_sink import ParquetSink
from altcraft_balance.refresh.port import Opening

pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
lakes = pytest.importorskip("tests.refresh.lakes")

from tests.refresh.lake_runs import COLUMNS, begun, ended, grown, members_in  # noqa: E402


def test_an_unfinished_run_keeps_its_place(url):
    """Another one is told of it; with fresh it takes the place, and the first one ends."""
    first = grown(begun(url), "a")
    with pytest.raises(ConfigurationError, match="/lake/ belongs to the unfinished run night"):
        begun(url, "day")
    second = grown(begun(url, "day", fresh=True), "b")
    with pytest.raises(ConfigurationError, match=r"taken from this run .* to the run day: let"):
        grown(first, "c")
    with pytest.raises(ConfigurationError, match="taken from this run"):
        first.finish()
    first.close()
    ended(second)
    assert members_in(url) == ["b"]
    assert lakes.listing(url) == ["_SUCCESS", "part-00000.parquet"]


def test_an_unfinished_run_keeps_its_place_before_its_first_part(url):
    """Which is 100,000 rows away: it is under way from its first answer on."""
    sink = begun(url)
    assert sink.sync() == 0
    sink.close()
    for told in ({}, {"overwrite": True}):
        with pytest.raises(ConfigurationError, match="/lake/ belongs to the unfinished run night"):
            begun(url, "day", **told)
    begun(url, token=0).close()
    with pytest.raises(ConfigurationError, match="/lake/ belongs to the unfinished run night"):
        begun(url, "day")
    ended(grown(begun(url, token=0), "a"))
    assert lakes.listing(url) == ["_SUCCESS", "part-00000.parquet"]


def test_the_same_run_with_another_state_is_another(url):
    """Which would write the same names."""
    grown(begun(url), "a")
    with pytest.raises(ConfigurationError, match="as it was begun with a state that is not here"):
        begun(url, claim="other")


def test_of_two_that_begin_at_once_one_ends(url, monkeypatch):
    """Both look before either has said that it is there: the one that spoke first stops."""
    first, put = [], Lake.put

    def late(lake, name, data):
        if not first:
            first.append(None)
            first[0] = grown(begun(url, "first"), "f")
        put(lake, name, data)

    monkeypatch.setattr(Lake, "put", late)
    second = grown(begun(url, "second"), "s")
    with pytest.raises(ConfigurationError, match="taken from this run while it wrote"):
        grown(first[0], "f")
    first[0].close()
    ended(second)
    assert members_in(url) == ["s"]


def test_who_spoke_last_has_the_place(url, monkeypatch):
    """The other one sees it when it looks again, before it has touched anything of the first's."""
    put, others = Lake.put, []

    def overtaken(lake, name, data):
        put(lake, name, data)
        if name.startswith("_altcraft") and not others:
            others.append(None)
            others[0] = grown(begun(url, "other", fresh=True), "o")

    monkeypatch.setattr(Lake, "put", overtaken)
    with pytest.raises(ConfigurationError, match=r"taken from this run .* to the run other"):
        begun(url)
    ended(others[0])
    assert members_in(url) == ["o"]


def test_a_claim_of_nobody_is_not_touched(url):
    """What cannot be read may be anybody's."""
    lakes.put(url, "_altcraft_claim.json", b"{")
    with pytest.raises(ConfigurationError, match="belongs to a run that is not known here"):
        begun(url)
    ended(grown(begun(url, fresh=True), "a"))
    assert members_in(url) == ["a"]


def test_a_claim_that_is_spoilt_meanwhile_is_nobody_s_name(url):
    """What cannot be read is not shown as a run without a name."""
    sink = begun(url)
    lakes.put(url, "_altcraft_claim.json", b"{")
    with pytest.raises(ConfigurationError, match="belongs to a run that is not known here: let"):
        grown(sink, "a")
    sink.close()
    assert lakes.listing(url) == ["_altcraft_claim.json"]


def test_a_store_that_spoils_what_it_gets_is_told(url, monkeypatch):
    """Before anything is asked; and nothing stays there."""
    put = Lake.put

    def framed(lake, name, data):
        put(lake, name, b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))

    monkeypatch.setattr(Lake, "put", framed)
    sink = ParquetSink(url)
    with pytest.raises(ConfigurationError, match=r"not what was written, as happens without keys"):
        sink.open(Opening(run_id="night", claim="first", columns=COLUMNS))
    sink.close()
    assert lakes.listing(url) == []


def test_a_store_that_refuses_is_told_once(url, monkeypatch):
    """Letting the place go is refused as well, which nobody need hear."""

    def refused(lake, name, *data):
        with lake.explained():
            raise OSError("AWS Error ACCESS_DENIED during CreateMultipartUpload operation")

    monkeypatch.setattr(Lake, "put", refused)
    sink = ParquetSink(url)
    with pytest.raises(ConfigurationError, match="ACCESS_DENIED"):
        sink.open(Opening(run_id="night", claim="first", columns=COLUMNS))
    monkeypatch.setattr(Lake, "read", refused)
    sink.close()


def test_a_run_without_a_part_leaves_nothing(url):
    """Whether it is closed or discarded; and discarding takes its parts along."""
    begun(url).close()
    assert lakes.listing(url) == []
    sink = grown(begun(url), "a")
    sink.discard()
    sink.close()
    assert lakes.listing(url) == []


def test_a_run_that_cannot_begin_lets_the_place_go(url, monkeypatch):
    """The store went away when it had just said that it is there: it may come again, as another."""
    read, calls = Lake.read, iter(range(9))

    def away(lake, name):
        if next(calls) == 1:
            raise OSError(errno.EIO, "away")
        return read(lake, name)

    monkeypatch.setattr(Lake, "read", away)
    sink = ParquetSink(url)
    with pytest.raises(OSError, match="away"):
        sink.open(Opening(run_id="night", claim="first", columns=COLUMNS))
    sink.close()
    assert lakes.listing(url) == []


def test_a_run_dropped_while_it_moved_leaves_no_half(url, monkeypatch):
    """What it has moved already belongs to no run: a fresh one removes it."""
    ended(grown(begun(url, "old"), *"abc"))
    sink = grown(begun(url, overwrite=True), "x", "y")
    monkeypatch.setattr(Lake, "_remove", _once_only(Lake._remove, 5))
    with pytest.raises(OSError, match="away"):
        sink.finish()
    sink.close()
    monkeypatch.undo()
    lakes.use_folders(monkeypatch)
    assert "_SUCCESS" not in lakes.listing(url)
    assert members_in(url)
    ended(grown(begun(url, "other", fresh=True), "z"))
    assert members_in(url) == ["z"]


def _once_only(call, times):
    left = [times]

    def failing(*args):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "away")
        call(*args)

    return failing
