"""Row 26: a disk that is full or fails is told in one sentence, and loses nothing.

Every call fails in turn, alone or with all that follow; real limits of file sizes are met, SQLite's
own among them. Afterwards the same command goes on, and its files are as if nothing had happened.
"""

import pytest

from tests.promises.child import in_child
from tests.promises.test_promises_refresh_crash import rows, skip_without

pytestmark = pytest.mark.slow
CALLS = {"open", "write", "fsync", "ftruncate", "commit", "replace", "unlink", "mkdir"}


def meet(stated, **options):
    """What came of it when a refresh met such a disk."""
    came = in_child("refresh_disk", limit_s=3600, **options)
    named = len(came["named"])
    stated.came(
        tried=came["tried"],
        failed=came["failed"],
        figure=f"{came['sentences']} sentences name {named} files",
        why=came["broken"],
    )
    return came


@pytest.mark.parametrize(
    ("how", "error"),
    [("fails", "ENOSPC"), ("stays", "EIO"), ("fails", "EIO"), ("stays", "ENOSPC")],
)
def test_a_call_that_fails_is_told(promise, size, how, error):
    """The k-th call fails, for every k; a write has done half of its work by then."""
    if size("small", "full") == "small" and (how == "stays") == (error == "ENOSPC"):
        pytest.skip("at the full size")
    stated = promise(26, f"{error} at every call: {how}")
    came = meet(stated, how=how, error=error, **rows(size))
    assert set(came["calls"]) >= CALLS
    assert came["sentences"] > size(40, quick=20)


def test_a_run_that_goes_on_keeps_what_it_has(promise, size):
    """Whatever fails when a run goes on, reading its checkpoint, too: nothing is asked anew."""
    stated = promise(26, "ENOSPC at every call of a run that goes on")
    goes_on = {
        "rows": size(130, 1_300, quick=40),
        "block_rows": 10,
        "commits": size(9, 90, quick=4),
        "each": size(0, quick=2),
    }
    came = meet(stated, how="fails", format="csv.gz", chunk_rows=10_000, **goes_on)
    assert set(came["calls"]) >= {"__init__", "known", "last_row", "answers"}


@pytest.mark.parametrize("format_", ["csv.gz", "parquet", "folder"])
def test_a_call_that_fails_is_told_in_other_formats(promise, size, format_):
    """Outputs that grow in chunks tell it, too."""
    skip_without(format_)
    if size("small", "full") == "small":
        pytest.skip("at the full size")
    stated = promise(26, f"ENOSPC at every call: {format_}")
    came = meet(stated, how="fails", format=format_, **rows(size))
    assert set(came["calls"]) >= CALLS


def test_short_writes_are_no_trouble(promise, size):
    """Every write takes a third of what it is given, and the file is the same."""
    stated = promise(26, "short writes")
    came = meet(stated, how="short", **rows(size))
    assert not came["sentences"]


def test_a_full_disk_is_told(promise, size):
    """No file may be larger than so many bytes, as on a disk that is full; SQLite's neither."""
    stated = promise(26, "a limit of file sizes")
    came = meet(stated, how="limit", rows=size(600, 2_400, quick=400), block_rows=200, width=500)
    assert set(came["named"]) >= {"out.csv.partial", "checkpoint.sqlite"}


def test_a_full_checkpoint_is_told(promise, size):
    """SQLite finds its file full in the middle of a commit."""
    stated = promise(26, "SQLite's file is full")
    options = {"format": "csv.gz", "chunk_rows": size(200, 2_000), "rows": size(80, 1_200)}
    came = meet(stated, how="pages", block_rows=20, **options)
    assert set(came["named"]) == {"checkpoint.sqlite"}
