"""Row 27: of several refreshes that cannot all go on, exactly one does, and it ends as if alone."""

import pytest

from tests.promises.child import in_child

SHARED = {
    "run": "the same run, started several times",
    "output": "several runs with one output",
    "name": "several runs with one name",
}


@pytest.mark.parametrize("what", SHARED)
def test_exactly_one_goes_on(promise, size, what):
    """The others get one sentence each, while the one that goes on is under way."""
    stated = promise(27, SHARED[what])
    came = in_child(
        "refresh_starts", limit_s=3600, what=what, rounds=size(6, 200, quick=1), starts=4
    )
    stated.came(tried=came["tried"], failed=came["failed"], figure="", why=came["broken"])


@pytest.mark.parametrize("what", ["run", "output"])
def test_in_a_race_with_a_kill_the_output_is_right(promise, size, what):
    """They come and go as fast as they can, one is killed, and the output is one run's, whole."""
    stated = promise(27, f"{SHARED[what]}, in a race, one is killed")
    options = {"rounds": size(6, 500, quick=2), "starts": 5}
    came = in_child("refresh_starts", limit_s=3600, what=what, race=1, **options)
    stated.came(tried=came["tried"], failed=came["failed"], figure="", why=came["broken"])
