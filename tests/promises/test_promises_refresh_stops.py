"""Row 28: a refresh that is asked to stop does so cleanly, whenever it is asked."""

import pytest

from tests.promises.child import in_child


@pytest.mark.parametrize(("format_", "currencies"), [("csv", 1), ("csv.gz", 2)])
def test_a_stopped_run_asks_nothing_twice(promise, size, format_, currencies):
    """What is on the wire comes in and is committed: the run that goes on repeats no request.

    Of a row with two currencies one may have been asked about, and not the other: it is begun anew.
    """
    stated = promise(28, f"a stopped run goes on: {format_}")
    options = {"format": format_, "currencies": currencies, "stops": size(15, 1_000, quick=4)}
    came = in_child("refresh_stops", limit_s=3600, **options)
    figure = "0 repeats" if currencies == 1 else "none but of half a row"
    stated.came(tried=came["tried"], failed=came["failed"], figure=figure, why=came["broken"])


@pytest.mark.slow
def test_a_signal_at_any_moment_ends_the_command_cleanly(promise, size):
    """SIGINT and SIGTERM, once and twice: exit 75 in time, no warning, and the output is right."""
    stated = promise(28, "clean shutdown: signals at random moments")
    came = in_child("refresh_signals", limit_s=3600, processes=size(10, 300, quick=1))
    stated.came(
        tried=came["processes"],
        failed=len(came["wrong"]),
        figure="each in time, with code 75 or 0",
        why=came["wrong"],
    )
