"""The gate: a pause is obeyed in full, by everybody, and ends without a herd."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from altcraft_balance.policy.gate import Gate

SOON = pytest.approx
STEP_S = 1e-6  # what a clock may be unable to show
draws = st.floats(0, 1, exclude_max=True)
wishes = st.none() | st.floats(0, 2000) | st.sampled_from([0.0, 1.0, 900.0, 900.1])


def closed(asked_s, draw=0.0, now=0.0):
    gate = Gate()
    gate.close(now, sent_at=now, asked_s=asked_s, draw=draw)
    return gate


def test_a_new_gate_is_open():
    """Nobody waits, whatever the clock says."""
    gate = Gate()
    for now in (-1e9, 0.0, 1e9):
        assert (gate.wait_s(now), gate.closed_s(now)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("asked_s", "draw", "pause_s"),
    [
        (None, 0.0, 1.0),
        (None, 0.5, 1.05),
        (0.0, 0.5, 0.05),
        (7.0, 0.0, 7.0),
        (7.0, 0.5, 7.05),
        (900.0, 0.5, 900.05),
        (901.0, 0.0, 900.0),
        (1e300, 0.0, 900.0),
    ],
)
def test_a_pause_is_as_long_as_asked_and_a_little_more(asked_s, draw, pause_s):
    """One second when nothing is said; a quarter of an hour at most; the rest is jitter."""
    gate = closed(asked_s, draw, now=100.0)
    for elapsed_s in (0.0, pause_s / 2, pause_s - 0.001):
        assert gate.closed_s(100.0 + elapsed_s) == SOON(pause_s - elapsed_s)
        assert gate.wait_s(100.0 + elapsed_s) == SOON(pause_s - elapsed_s)
    assert (gate.closed_s(100.0 + pause_s), gate.wait_s(100.0 + pause_s)) == (0.0, 0.0)


@pytest.mark.parametrize("streak", [1, 2, 3, 8, 9, 40])
def test_the_jitter_grows_while_nothing_but_throttling_comes(streak):
    """It doubles from 0.1 s to 20 s, and an answer in earnest sets it back."""
    gate, now = Gate(), 0.0
    for _ in range(streak):
        gate.close(now, sent_at=now, asked_s=5.0, draw=0.5)
        pause_s = gate.closed_s(now)
        now += pause_s
    assert pause_s == SOON(5.0 + 0.5 * min(20.0, 0.1 * 2 ** (streak - 1)))
    gate.answered()
    gate.close(now, sent_at=now, asked_s=5.0, draw=0.5)
    assert gate.closed_s(now) == SOON(5.05)


def test_requests_that_were_under_way_are_the_same_trouble():
    """Sixty of them, sent before it closed, do not make the jitter grow."""
    gate = closed(5.0, draw=0.5)
    for _ in range(60):
        gate.close(0.5, sent_at=-1.0, asked_s=5.0, draw=0.5)
    assert gate.closed_s(0.5) == SOON(5.05)


@pytest.mark.parametrize(
    ("asked_s", "longer", "left_s"), [(1.0, False, 9.0), (9.5, True, 9.5), (30.0, True, 30.0)]
)
def test_a_later_wish_may_prolong_a_pause_and_never_shortens_it(asked_s, longer, left_s):
    """And it is said whether everybody waits longer now."""
    gate = closed(10.0)
    assert gate.close(1.0, sent_at=0.0, asked_s=asked_s, draw=0.0) is longer
    assert gate.closed_s(1.0) == SOON(left_s)


@pytest.mark.parametrize(
    ("asked_s", "waiting", "gap_s"),
    [(10.0, 9, 0.1), (10.0, 1, 0.5), (0.5, 4, 0.1), (10.0, 0, 0.0), (10.0, 999, 0.001)],
)
def test_those_who_waited_are_let_through_one_by_one(asked_s, waiting, gap_s):
    """Evenly, over as long as the pause was, a second at most; one alone holds up nobody."""
    gate, now = closed(asked_s), asked_s
    for behind in range(waiting, max(waiting - 5, -1), -1):
        assert gate.wait_s(now) == 0.0
        gate.passed(now, behind)
        assert gate.wait_s(now) == SOON(gap_s)
        now += gap_s
    gate.passed(gate.busy_until, 5)
    assert gate.wait_s(gate.busy_until) == 0.0


def test_nobody_waits_beyond_the_spread():
    """One who passes at its very end does not hold the next one up for another gap."""
    gate = closed(10.0)
    gate.passed(10.9, 1)
    assert gate.wait_s(10.9) == SOON(0.1)
    assert gate.wait_s(11.0) == 0.0


def test_a_clock_that_runs_early_by_a_step_finds_it_open():
    """Or whoever its timer woke would be sent back, and wait for another turn."""
    gate = closed(10.0)
    assert gate.wait_s(10.0 - STEP_S / 2) == gate.closed_s(10.0 - STEP_S / 2) == 0.0
    assert gate.wait_s(10.0 - STEP_S * 2) > 0


@pytest.mark.parametrize(("answers", "pause_s"), [(0, 0.2), (5, 0.2), (6, 0.0), (50, 0.0)])
def test_come_again_at_once_is_not_believed_again_and_again(answers, pause_s):
    """With few answers between such wishes it is a quota that speaks, not a stray server."""
    gate, now = Gate(), 0.0
    for number in range(4):
        gate.close(now, sent_at=now, asked_s=0.0, draw=0.0)
        assert gate.closed_s(now) == SOON(pause_s if number > 1 else 0.0)
        now += 1.0
        for _ in range(answers):
            gate.answered()


@given(wishes, draws, st.floats(0, 1e6), st.floats(0, 1e3))
def test_no_pause_is_cut_short_or_endless(asked_s, draw, now, later_s):
    """Whatever was asked, in full up to 15 minutes, and never for more than jitter beyond that."""
    gate = closed(asked_s, draw, now)
    least_s = min(900.0, 1.0 if asked_s is None else asked_s)
    assert least_s - 2 * STEP_S <= gate.closed_s(now) <= least_s + 0.1 + STEP_S
    if later_s < least_s - 0.001:
        assert gate.wait_s(now + later_s) > 0


class GateMachine(RuleBasedStateMachine):
    """Against a model that remembers every wish, and the moments at which somebody passed."""

    def __init__(self):
        super().__init__()
        self.gate, self.now = Gate(), 1000.0
        self.until = self.noticed = self.spread_end = -math.inf
        self.streak, self.passes, self.behind = 0, [], 0
        self.storm, self.answers = 0, 6

    @rule(seconds=st.floats(0.001, 3) | st.sampled_from([0.0, 30.0, 1000.0]))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule()
    def time_goes_by_until_one_may_pass(self):
        self.now += self.gate.wait_s(self.now)

    @rule(asked_s=wishes, draw=draws, ago_s=st.floats(0, 20))
    def close(self, asked_s, draw, ago_s):
        sent_at = self.now - ago_s
        if sent_at > self.noticed:
            self.streak, self.noticed = self.streak + 1, self.now
            self.storm, self.answers = self.storm + 1 if self.answers < 6 else 0, 0
        jitter_s = draw * min(20.0, 0.1 * 2.0 ** (self.streak - 1))
        asked = min(900.0, 1.0 if asked_s is None else asked_s)
        if self.storm >= 2:
            asked = max(0.2, asked)
        until = self.now + asked + jitter_s
        longer = self.gate.close(self.now, sent_at=sent_at, asked_s=asked_s, draw=draw)
        assert longer == (until > self.until)
        if longer:
            self.until, self.passes = until, []
            self.spread_end = until + min(1.0, until - self.now)

    @rule()
    def answered(self):
        self.gate.answered()
        self.streak, self.answers = 0, self.answers + 1

    @rule()
    def many_answered(self):
        for _ in range(6):
            self.answered()

    @precondition(lambda self: self.gate.wait_s(self.now) == 0)
    @rule(waiting=st.integers(0, 50))
    def one_passes(self, waiting):
        assert self.now >= self.until - STEP_S
        if self.now < self.spread_end:
            self.behind = self.behind if self.passes else waiting
            self.passes.append(self.now)
        self.gate.passed(self.now, waiting)

    @invariant()
    def it_is_closed_as_long_as_the_longest_wish(self):
        assert self.gate.closed_s(self.now) == SOON(max(0.0, self.until - self.now), abs=STEP_S)

    @invariant()
    def the_wait_is_exact(self):
        wait_s = self.gate.wait_s(self.now)
        assert self.gate.wait_s(self.now + wait_s) <= STEP_S
        assert wait_s >= self.gate.closed_s(self.now)
        assert wait_s == 0 or self.now + wait_s <= self.spread_end + STEP_S

    @invariant()
    def no_herd_passes(self):
        if self.behind and len(self.passes) > 1:
            gap_s = min(b - a for a, b in zip(self.passes, self.passes[1:], strict=False))
            spread_s = self.spread_end - self.until
            assert gap_s >= spread_s / (self.behind + 1) - 2 * STEP_S


TestGateMachine = GateMachine.TestCase
