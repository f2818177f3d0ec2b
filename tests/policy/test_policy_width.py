"""The width of the semaphore: narrowed when latency grew, and only while that costs nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.policy.width import AdaptiveWidth

MOST = 64


class Loop:
    """A closed loop in fluid time: each turn, all slots are used once, at this latency."""

    def __init__(self, most: int = MOST) -> None:
        self.width = AdaptiveWidth(most)
        self.now = 0.0
        self.widths: list[int] = []

    def run(
        self,
        for_s: float,
        latency_s: Callable[[int], float],
        *,
        lag_s: float = 0.0,
        in_use: int | None = None,
        every_s: float | None = None,
        answers: Callable[[int], bool] = lambda width: True,
    ) -> None:
        """Attempts end evenly; `latency_s` and `answers` are told how many slots are in use."""
        until = self.now + for_s
        while self.now < until:
            used = self.width.width if in_use is None else min(in_use, self.width.width)
            took_s = latency_s(used)
            self.now += every_s or took_s / used
            self.width.note(self.now, took_s, used, answers(used))
            if self.width.due_at <= self.now:
                self.width.tick(self.now, lag_s)
                self.widths.append(self.width.width)


def healthy(used: int) -> float:
    return 0.05


def slower(used: int) -> float:
    return 0.15


def eight_workers(used: int) -> float:
    return 0.05 * max(1.0, used / 8)


def contended(used: int) -> float:
    return 0.05 * (1 + (used / 12) ** 2)


def after_calm(latency_s: Callable[[int], float], for_s: float = 10.0, **kwargs) -> Loop:
    loop = Loop()
    loop.run(5.0, healthy)
    loop.run(for_s, latency_s, **kwargs)
    return loop


def test_a_healthy_server_is_never_asked_by_fewer():
    """Without growth of latency there is no trial at all."""
    loop = Loop()
    loop.run(30.0, healthy)
    assert set(loop.widths) == {MOST}


def test_a_queue_is_taken_away():
    """Before eight workers, the queue shrinks to about as many as are served."""
    loop = after_calm(eight_workers)
    assert 8 <= loop.width.width <= 20


def test_the_queue_does_not_come_back():
    """Widening again is tried, and undone while it buys nothing."""
    loop = after_calm(eight_workers, 60.0)
    assert max(loop.widths[-120:]) <= 24
    assert min(loop.widths) >= 8


def test_contention_is_relieved():
    """Where requests slow each other, the width comes near the one at which most is answered."""
    loop = after_calm(contended, 20.0)
    assert 8 <= loop.width.width <= 18


def test_a_server_that_became_slower_keeps_its_width():
    """Three times slower for good: the trials end, and cost less than 2 % of a minute."""
    loop = after_calm(slower, 60.0)
    lost = sum(1 - width / MOST for width in loop.widths) / len(loop.widths)
    assert 0 < lost < 0.02
    assert set(loop.widths[-80:]) == {MOST}


def test_a_much_slower_server_is_learned():
    """Thirty times slower: part of the growth after each trial passes for the server's own."""
    loop = after_calm(lambda used: 1.5, 600.0)
    narrow = [width for width in loop.widths if width < MOST]
    assert narrow
    assert len(narrow) / len(loop.widths) < 0.05


def test_growth_after_a_failed_trial_is_tried_at_once():
    """What failed at one latency may be right at twice that, without waiting out the pause."""
    loop = after_calm(slower, 3.0)
    assert loop.width.width == MOST
    loop.run(4.0, eight_workers)
    assert loop.width.width < MOST


@pytest.mark.parametrize("trouble", [eight_workers, contended])
def test_the_width_is_back_within_seconds(trouble):
    """The trouble over, nothing speaks for being narrow: full again within four seconds."""
    loop = after_calm(trouble, 60.0)
    assert loop.width.width < MOST / 2
    loop.run(4.0, healthy)
    assert loop.width.width == MOST


def test_the_width_is_back_when_the_server_recovered_but_is_slower():
    """Latency between calm and grown: only more answers for more width bring it back."""
    loop = after_calm(eight_workers, 20.0)
    loop.run(20.0, lambda used: 0.085)
    assert loop.width.width == MOST


def test_idle_slots_are_given_back():
    """A width that does not limit is not kept narrow."""
    loop = after_calm(eight_workers, 20.0)
    loop.run(20.0, lambda used: 0.085, in_use=4)
    assert loop.width.width == MOST


def test_few_requests_narrow_nothing():
    """A lookup or two at a time say nothing about the width, however slow they became."""
    loop = Loop()
    loop.run(30.0, healthy, in_use=2)
    loop.run(600.0, lambda used: 1.0, in_use=2)
    assert set(loop.widths) == {MOST}


def test_our_own_lag_is_not_the_servers():
    """Latency that grew together with the loop's lag is ours."""
    loop = after_calm(eight_workers, 20.0, lag_s=0.1)
    assert set(loop.widths) == {MOST}


def test_a_single_quiet_turn_does_not_hide_a_busy_loop():
    """The lag fades over some ticks; one turn that was short by chance proves nothing."""
    loop = after_calm(eight_workers, 5.0, lag_s=0.2)
    loop.run(0.6, eight_workers, lag_s=0.0)
    assert set(loop.widths) == {MOST}


def test_what_was_under_way_is_not_counted_for_the_new_width():
    """A queue needs some time to shrink; until then nothing is judged."""
    inside = float(MOST)

    def draining(used: int) -> float:
        nonlocal inside
        inside += (used - inside) * (0.05 / 8) / 0.4  # an attempt ends every 0.05 / 8 s
        return 0.05 * max(1.0, inside / 8)

    loop = after_calm(draining, 20.0, every_s=0.05 / 8)
    assert loop.width.width <= 24


def test_less_latency_for_fewer_answers_is_no_bargain():
    """Latency falls with the width, but a third is no longer answered: undone."""
    turn = iter(range(1_000_000))
    loop = after_calm(eight_workers, 8.0, answers=lambda used: used == MOST or next(turn) % 3 > 0)
    assert min(loop.widths) < MOST
    assert loop.width.width == MOST


def test_as_many_answers_by_chance_are_no_proof():
    """Latency that does not fall with the width says that the rate was chance: undone."""
    loop = after_calm(slower, 8.0, every_s=0.15 / MOST)
    assert min(loop.widths) < MOST
    assert loop.width.width == MOST


def test_where_nothing_is_answered_any_more_narrowing_helps():
    """All time out past sixteen at once; with fewer, all are answered, and that is kept."""
    loop = after_calm(
        lambda used: 2.0 if used > 40 else 1.9, 120.0, answers=lambda used: used <= 40
    )
    assert loop.width.width <= 40


def test_slots_held_by_a_few_slow_attempts_are_left_alone():
    """One attempt in eight of ten seconds holds most slots; narrowing would stall the others."""
    draw = random.Random(7)
    loop = after_calm(lambda used: 10.0 if draw.random() < 0.125 else 0.12, 120.0)
    assert set(loop.widths) == {MOST}


def test_a_stalled_trial_is_given_up_early():
    """As soon as the rate before cannot be reached any more, the old width is back."""
    loop = after_calm(slower, 0.5)
    while loop.width.width == MOST:
        loop.run(0.05, slower)
    began = loop.now
    while loop.width.width < MOST:
        loop.run(0.2, lambda used: 0.15 * 20)
    assert loop.now - began < 5.0


def test_one_slot_is_the_least():
    """However slow, one request may be under way."""
    loop = Loop(2)
    loop.run(10.0, healthy)
    loop.run(600.0, lambda used: 0.2 * used**3)
    assert set(loop.widths) == {1, 2}


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_any_concurrency_starts_wide(most):
    """The width starts at what the user allows."""
    assert AdaptiveWidth(most).width == most


attempts = st.lists(
    st.tuples(
        st.floats(0.0, 2.0),  # seconds since the attempt before
        st.floats(0.0, 20.0),
        st.booleans(),
        st.floats(0.0, 0.5),
    ),
    min_size=1,
    max_size=40,
)


@given(st.integers(1, 1000), attempts, st.integers(1, 60))
def test_the_width_stays_within_its_bounds(most, seen, times):
    """Whatever happens, the width is 1 to `most`."""
    width, now = AdaptiveWidth(most), 0.0
    for passed_s, took_s, answered, lag_s in seen:
        now += passed_s
        for _ in range(times):
            width.note(now, took_s, width.width, answered)
        if width.due_at <= now:
            width.tick(now, lag_s)
        assert 1 <= width.width <= most


@given(
    st.integers(1, 200),
    st.floats(0.001, 5.0),
    st.lists(st.floats(1.0, 1.9), min_size=1, max_size=8),
    st.booleans(),
)
def test_without_growth_it_never_narrows(most, base_s, factors, answered):
    """Latencies that stay under twice the least of them never narrow anything."""
    loop = Loop(most)
    turn = iter(range(1_000_000))
    loop.run(
        min(10.0, 100 * base_s),
        lambda used: base_s * factors[next(turn) // 100 % len(factors)],
        answers=lambda used: answered,
    )
    assert set(loop.widths) == {most}


@given(st.integers(2, 200), st.floats(1.0, 100.0))
def test_lag_as_long_as_the_latency_never_narrows(most, times):
    """While attempts may have waited for our own loop, growth is no evidence."""
    loop = Loop(most)
    loop.run(1.0, healthy)
    loop.run(3.0 * times * 0.05, lambda used: 0.05 * times, lag_s=0.05 * times / 4)
    assert set(loop.widths) == {most}


def test_an_attempt_of_no_time_is_counted():
    """A latency of zero has no logarithm, and is no error."""
    width = AdaptiveWidth(4)
    for turn in range(200):
        width.note(turn * 0.01, 0.0, 4)
        width.tick(turn * 0.01, 0.0)
    assert width.width == 4
    assert not math.isnan(width.width)
