"""Row 29: tests bite. What the last runs of ``python -m tests.mutation`` came to, as recorded.

Running them takes hours, so it is done by that command and not in CI: the row is one of the full
size.
"""

import pytest

from tests.mutation.__main__ import WANTED
from tests.mutation.score import read_score, unexplained


def test_the_recorded_score_is_high_enough(promise, size):
    """At least 95 % of the mutants are killed, and each that survives has a reason."""
    if size("small", "full") == "small":
        pytest.skip("at the full size")
    stated = promise(29, "tests bite: mutants of codec, policy, checkpoint and secret")
    score = read_score()
    killed, tried = (sum(line[word] for line in score.values()) for word in ("killed", "tried"))
    late = sum(line["past_the_limit"] for line in score.values())
    without = list(unexplained(score))
    stated.came(
        tried=tried,
        failed=len(without) + int(killed < WANTED * tried),
        figure=f"{killed / tried:.1%} killed, {late} of them by taking too long, "
        f"{tried - killed} survive, each for a reason",
        why=without,
    )
