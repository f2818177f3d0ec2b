"""Whether a lookup asks again, and when: the table of decisions."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance import errors
from altcraft_balance.policy.backoff import MAX_PAUSE_S
from altcraft_balance.policy.retry import (
    Again,
    Progress,
    Stop,
    after_failure,
    attempt_limit_s,
)
from altcraft_balance.settings import RetryPolicy

POLICY = RetryPolicy(max_attempts=3, base_s=1, cap_s=4)
BROKEN = errors.ConnectionFailed("broken", maybe_sent=True)
FINAL = errors.BadRequest("no", code=400)


def throttled(wait_s=None):
    return errors.RateLimited("slow down", status=429, retry_after_s=wait_s)


def trouble(wait_s=None):
    return errors.HttpStatusError("down", status=503, transient=True, retry_after_s=wait_s)


AGAIN = [
    # error, progress before, seconds left, wait (half of the bound is drawn), progress after
    (BROKEN, Progress(), None, 0.5, Progress(attempts=1)),
    (BROKEN, Progress(attempts=1), None, 1.0, Progress(attempts=2)),
    (BROKEN, Progress(put_off=2), None, 0.5, Progress(attempts=1, put_off=2)),
    (BROKEN, Progress(attempts=1, put_off=40), None, 1.0, Progress(2, put_off=40)),
    (BROKEN, Progress(), 0.51, 0.5, Progress(attempts=1)),
    (throttled(), Progress(), None, 0, Progress(put_off=1)),
    (throttled(), Progress(), 0.001, 0, Progress(put_off=1)),
    (throttled(7.0), Progress(), None, 0, Progress(put_off=1)),
    (throttled(0.0), Progress(), None, 0, Progress(put_off=1)),
    (throttled(7.0), Progress(), 7.1, 0, Progress(put_off=1)),
    (throttled(7.0), Progress(attempts=2), None, 0, Progress(attempts=2, put_off=1)),
    (throttled(), Progress(attempts=2, put_off=99), None, 0, Progress(2, put_off=100)),
    (throttled(MAX_PAUSE_S), Progress(), None, 0, Progress(put_off=1)),
    (trouble(7.0), Progress(), None, 7.5, Progress(attempts=1)),
    (trouble(7.0), Progress(), 7.6, 7.5, Progress(attempts=1)),
    (trouble(MAX_PAUSE_S), Progress(), None, MAX_PAUSE_S + 0.5, Progress(attempts=1)),
]


@pytest.mark.parametrize(("error", "before", "left_s", "wait_s", "after"), AGAIN)
def test_a_failure_that_may_pass_is_repeated_after_a_wait(error, before, left_s, wait_s, after):
    """It waits as asked and a drawn backoff; a throttled one is no attempt and left to the gate."""
    decision = after_failure(POLICY, before, error, left_s=left_s, draw=0.5)
    assert decision == Again(wait_s, after)


def test_what_was_sent_for_everybody_s_sake_is_no_attempt():
    """It tested the server in an outage; a final failure is the lookup's own all the same."""
    after = Progress(attempts=2, put_off=1)
    decision = after_failure(POLICY, Progress(2), BROKEN, left_s=None, draw=0.5, spare=True)
    assert decision == Again(1.0, after)
    decision = after_failure(POLICY, Progress(2), FINAL, left_s=None, draw=0.5, spare=True)
    assert decision == Stop(FINAL, Progress(attempts=3))


STOP = [
    (FINAL, Progress(), Progress(attempts=1)),
    (FINAL, Progress(attempts=1, put_off=3), Progress(2, 3)),
    (BROKEN, Progress(attempts=2), Progress(attempts=3)),
    (trouble(1.0), Progress(attempts=2), Progress(attempts=3)),
    (throttled(MAX_PAUSE_S + 0.1), Progress(), Progress(put_off=1)),
    (trouble(MAX_PAUSE_S + 0.1), Progress(), Progress(attempts=1)),
]


@pytest.mark.parametrize(("error", "before", "after"), STOP)
@pytest.mark.parametrize("left_s", [None, 0.01, 1e6])
def test_a_final_failure_the_last_attempt_and_a_long_pause_stop(error, before, after, left_s):
    """The lookup ends with the very error of its last attempt, whatever the time."""
    decision = after_failure(POLICY, before, error, left_s=left_s, draw=0.5)
    assert decision == Stop(error, after)
    assert decision.error is error


@pytest.mark.parametrize(
    ("error", "left_s", "wait_s"),
    [(BROKEN, 0.5, 0.5), (BROKEN, 0.1, 0.5), (throttled(9.0), 9.0, 9.0), (trouble(1.0), 1, 1)],
)
def test_a_wait_that_reaches_the_deadline_is_not_begun(error, left_s, wait_s):
    """`DeadlineExceeded` comes at once, with the last error and when to ask again."""
    decision = after_failure(POLICY, Progress(), error, left_s=left_s, draw=0.5)
    assert type(decision) is Stop
    ended = decision.error
    assert type(ended) is errors.DeadlineExceeded
    assert ended.phase == ("gate" if isinstance(error, errors.RateLimited) else "backoff")
    assert ended.last_error is error
    assert ended.retry_after_s == wait_s
    assert ended.maybe_sent is error.maybe_sent
    assert str(error) in str(ended)
    assert pickle.loads(pickle.dumps(ended)).last_error.kind == error.kind


@pytest.mark.parametrize("left_s", [0.0, -1.0])
@pytest.mark.parametrize("before", [Progress(), Progress(attempts=2)])
@pytest.mark.parametrize("error", [BROKEN, throttled(9.0), throttled(MAX_PAUSE_S + 1), trouble()])
def test_an_attempt_that_used_up_the_time_says_so(error, before, left_s):
    """When the deadline cut the attempt itself, the phase is the attempt, not the wait."""
    decision = after_failure(POLICY, before, error, left_s=left_s, draw=0.5)
    ended = decision.error
    assert type(ended) is errors.DeadlineExceeded
    assert ended.phase == "attempt"
    assert ended.last_error is error
    assert ended.retry_after_s == (error.retry_after_s or 0.0)


@pytest.mark.parametrize("left_s", [0.0, -1.0])
def test_a_final_answer_is_one_even_at_the_deadline(left_s):
    """An answer that came is given, however late."""
    decision = after_failure(POLICY, Progress(), FINAL, left_s=left_s, draw=0.5)
    assert decision.error is FINAL


def test_one_attempt_is_one_attempt():
    """With `max_attempts=1` nothing but throttling is repeated."""
    once = RetryPolicy(max_attempts=1)
    assert type(after_failure(once, Progress(), BROKEN, left_s=None, draw=0)) is Stop
    assert type(after_failure(once, Progress(), throttled(), left_s=None, draw=0)) is Again


@given(
    st.integers(1, 10),
    st.integers(0, 9),
    st.integers(0, 50),
    st.none() | st.floats(0, 2000),
    st.none() | st.floats(0, 100),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from([throttled, trouble, lambda _: BROKEN, lambda _: FINAL]),
)
def test_every_decision_keeps_the_rules(most, attempts, times, asked_s, left_s, draw, make):
    """No wait is shorter than asked, reaches the deadline, or follows the last attempt.

    How long a throttled lookup waits is the gate's to say; it is not kept if that does not fit.
    """
    error, before = make(asked_s), Progress(attempts, times)
    decision = after_failure(
        RetryPolicy(max_attempts=most), before, error, left_s=left_s, draw=draw
    )
    grown = decision.progress
    assert (grown.attempts - attempts) + (grown.put_off - times) == 1
    if isinstance(decision, Again):
        asked_for_s = error.retry_after_s or 0
        assert decision.wait_s == 0 if make is throttled else decision.wait_s >= asked_for_s
        assert left_s is None or max(decision.wait_s, asked_for_s) < left_s
        assert grown.attempts < most
        assert error.transient


@pytest.mark.parametrize(
    ("left_s", "limit_s"), [(None, 10.0), (30.0, 10.0), (10.0, 10.0), (3.5, 3.5), (0.0, 0.0)]
)
def test_an_attempt_ends_with_the_lookup_at_the_latest(left_s, limit_s):
    """An attempt may take its own limit, or what is left of the lookup's."""
    assert attempt_limit_s(10.0, left_s) == limit_s


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (Progress.attempted, Progress(2, 2)),
        (Progress.spared, Progress(1, 3)),
    ],
)
def test_progress_counts_one_thing_at_a_time(step, after):
    """Attempts and throttled answers are counted apart, in new values."""
    before = Progress(attempts=1, put_off=2)
    assert step(before) == after
    assert before == Progress(1, 2)
