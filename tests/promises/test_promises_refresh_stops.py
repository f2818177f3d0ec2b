"""Row 28: a refresh that is asked to stop does so cleanly, whenever it is asked."""

import pytest

from tests.promises.child import in_child


@pytest.mark.parametrize("format_", ["csv", "csv.gz"])
def test_a_stopped_run_asks_nothing_twice(promise, size, format_):
    """What is on the way comes in and is committed: the run that goes on repeats no request."""
    stated = promise(28, f"a stopped run goes on: {format_}")
    came = in_child("refresh_stops", limit_s=3600, format=format_, stops=size(15, 1_000))
    stated.came(tried=came["tried"], failed=came["failed"], figure="0 repeats", why=came["broken"])


@pytest.mark.slow
def test_a_signal_at_any_moment_ends_the_command_cleanly(promise, size):
    """SIGINT and SIGTERM, once and twice: exit 75 in time, no warning, and the output is right."""
    stated = promise(28, "clean shutdown: signals at random moments")
    came = in_child("refresh_signals", limit_s=3600, processes=size(10, 300))
    stated.came(
        tried=came["processes"],
        failed=len(came["wrong"]),
        figure="each in time, with code 75 or 0",
        why=came["wrong"],
    )
