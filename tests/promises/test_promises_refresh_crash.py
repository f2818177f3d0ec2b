"""Row 25: a refresh that is killed goes on where it stopped, and its files do not show it.

Killed before, inside and after every call that changes something on the disk, and around every
commit; then at random moments, in the middle of SQLite's own calls, too.
"""

import pytest

from tests.promises.child import in_child
from tests.promises.refresh_run import FORMATS, IN_FLIGHT, has_what_it_needs

pytestmark = pytest.mark.slow
SMALL = {"csv", "csv.gz", "folder"}
EVERYTHING = {
    f"{when} {call}"
    for when in ("before", "after")
    for call in ("write", "fsync", "ftruncate", "replace", "unlink", "mkdir", "open", "commit")
} | {"inside write"}


def skip_without(format_):
    """Skip where a package is missing that the format needs."""
    if not has_what_it_needs(format_):
        pytest.skip(f"{format_} needs a package that is not here")


def rows(size):
    """How many rows, and where blocks and chunks end: as they are, or small ones."""
    return {
        "rows": size(50, 1_200, quick=20),
        "each": size(0, quick=2),
        "block_rows": size(15, 0),
        "chunk_rows": size(40, 250),
    }


@pytest.mark.parametrize("format_", FORMATS)
def test_killed_at_any_point_it_goes_on(promise, size, format_):
    """Killed at one point after another, each run ends with the same bytes as an unkilled one."""
    skip_without(format_)
    if format_ not in size(SMALL, FORMATS, quick={"csv"}):
        pytest.skip("at a larger size")
    stated = promise(25, f"kill -9 at every point: {format_}")
    currencies = 2 if format_ == "csv.gz" else 1
    came = in_child(
        "refresh_crash",
        limit_s=3600,
        format=format_,
        currencies=currencies,
        overwrite=int(format_ != "jsonl"),
        **rows(size),
    )
    stated.came(
        tried=came["tried"],
        failed=came["failed"],
        figure=f"{came['most_repeats']} asked again at most",
        why=came["broken"],
    )
    assert set(came["points"]) >= EVERYTHING


def test_killed_twice_it_goes_on(promise, size):
    """A second kill, of the run that goes on, changes nothing, either."""
    stated = promise(25, "kill -9 twice")
    cases = size(20, 300, quick=4)
    tried = failed = 0
    for format_ in ("csv", "csv.gz"):
        options = {"kills": 2, "cases": cases, "up_to": size(120, 160), "currencies": 1}
        came = in_child(
            "refresh_crash", limit_s=3600, format=format_, seed=tried, **options, **rows(size)
        )
        tried, failed = tried + came["tried"], failed + came["failed"]
        assert not came["broken"], came["broken"]
    stated.came(tried=tried, failed=failed, figure=f"{tried} pairs of points")


def test_a_dropped_run_leaves_nothing_that_matters(promise, size):
    """Killed while it drops an unfinished run, a run with fresh=True leaves one to go on with."""
    stated = promise(25, "kill -9 under fresh=True")
    options = {
        "kills": 2,
        "fresh": 1,
        "cases": size(20, 300, quick=4),
        "up_to": 100,
        "currencies": 1,
    }
    came = in_child("refresh_crash", limit_s=3600, **options, **rows(size))
    stated.came(tried=came["tried"], failed=came["failed"], figure="", why=came["broken"])


def test_a_run_in_vain_leaves_nothing(promise, size):
    """Killed at any point, a run that stops since all answers are the same error can be repeated.

    It leaves what was there before it.
    """
    stated = promise(25, "kill -9 of a run in vain")
    options = {
        "in_vain": 1,
        "rows": size(800, 1_500),
        "block_rows": size(100, 0),
        "currencies": 1,
    }
    options["only"] = size("unlink", "")
    came = in_child("refresh_crash", limit_s=3600, **options)
    stated.came(tried=came["tried"], failed=came["failed"], figure="", why=came["broken"])


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_is_committed_before_it_is_durable(promise, format_):
    """Before each commit all that was written is synced, so that a power loss is no worse."""
    skip_without(format_)
    stated = promise(25, f"synced before each commit: {format_}")
    came = in_child("refresh_order", format=format_)
    wrong = came["wrong"]
    stated.came(tried=came["commits"], failed=len(wrong), figure="", why=wrong)


def test_a_disk_that_hangs_costs_no_more(promise, size):
    """While the disk does nothing the run goes on asking, but only about 500 rows."""
    stated = promise(25, "kill -9 of a hanging disk")
    options = {"hangs_s": 0.3, "kills": 2, "up_to": 60, "currencies": 1, "rows": 1_500}
    came = in_child(
        "refresh_crash", limit_s=3600, block_rows=0, cases=size(4, 200, quick=2), **options
    )
    most = came["most_repeats"]
    stated.came(
        tried=came["tried"],
        failed=came["failed"],
        figure=f"{most} asked again at most",
        why=came["broken"],
    )
    assert IN_FLIGHT < most <= 2 * (IN_FLIGHT + 500)


@pytest.mark.parametrize("faults", [0.0, 0.1])
def test_killed_at_random_it_goes_on(promise, size, faults):
    """Killed at random moments, behind a perfect server and behind one with faults."""
    stated = promise(25, f"kill -9 at random, {faults:.0%} faults")
    came = in_child(
        "refresh_kills",
        limit_s=3600,
        kills=size(50, 500, quick=4),
        rows=size(150, 600),
        faults=faults,
    )
    stated.came(
        tried=came["kills"],
        failed=came["failed"],
        figure=f"{came['most_repeats']} asked again at most for each",
        why=came["broken"],
    )
