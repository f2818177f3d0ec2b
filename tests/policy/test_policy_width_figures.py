"""The rule's own figures, by hand: one window after another, of attempts that are all alike."""

import pytest

from altcraft_balance.policy.width import AdaptiveWidth

MOST = 64
CALM_S = 0.05
BEFORE_PER_S = MOST / 0.15  # attempts that end, with three times that latency


class Hand:
    """Shows windows: attempts of one latency end evenly, as many a second as the slots allow."""

    def __init__(self, most=MOST):
        self.rule, self.now, self._settles_s = AdaptiveWidth(most), 0.0, 0.0

    @property
    def width(self):
        return self.rule.width

    def show(self, latency_s, *, count=None, in_use=None, share=1.0, per_s=None, lag_s=0.0):
        """The width after a window; `share` of it was answered, or so many attempts a second end.

        What was under way when a trial began ends first, and is not counted.
        """
        before = self.width
        in_use = in_use or before
        count = count or 50 + before
        for_s = count / (per_s or in_use / latency_s)
        self._settle(before)
        for number in range(1, count + 1):
            answered = number <= round(share * count)
            self.rule.note(self.now + for_s * number / count, latency_s, in_use, answered)
        self.now += for_s
        self.rule.tick(self.now, lag_s)
        self._settles_s = latency_s if self.width != before else 0.0
        return self.width

    def _settle(self, in_use):
        step_s = self._settles_s / 100
        for _ in range(99 if step_s else 0):
            self.now += step_s
            self.rule.note(self.now, self._settles_s, in_use)
        self.now += 1.001 * step_s


def calm(most=MOST):
    hand = Hand(most)
    assert hand.show(CALM_S) == most
    return hand


def narrowed(times=3.0):
    """In a trial of fewer slots: a queue made attempts take so many times as long, twice."""
    hand = calm()
    assert hand.show(CALM_S * times) == MOST
    assert hand.show(CALM_S * times) < MOST
    return hand


def kept(most=MOST):
    """A client that has kept half of its slots: with fewer, as much was answered, sooner."""
    hand = calm(most)
    hand.show(CALM_S * 4)
    hand.show(CALM_S * 4)
    assert hand.show(CALM_S * 2) == most // 2
    return hand


def until_wider(hand):
    """Go on until more slots are tried; the seconds that it took."""
    width, began = hand.width, hand.now
    while hand.show(CALM_S * 2) == width:
        assert hand.now < began + 20
    return hand.now - began


# -- what is a window, and when it speaks for a trial --


def test_a_window_is_fifty_attempts_and_one_for_each_slot():
    """Looked at four times a second."""
    hand = calm()
    assert hand.rule.due_at == hand.now + 0.25
    hand.show(0.15)
    assert hand.show(0.15, count=113) == 64
    assert hand.show(0.15, count=1) == 42


@pytest.mark.parametrize(("times", "width"), [(1.95, 64), (2.05, 48), (3.0, 42), (5.0, 32)])
def test_a_step_is_as_large_as_the_growth(times, width):
    """From twice the unloaded latency on; to three quarters at most, and half at least."""
    hand = calm()
    hand.show(CALM_S * times)
    assert hand.show(CALM_S * times) == width


@pytest.mark.parametrize(("most", "first"), [(64, 16), (18, 4), (8, 4)])
def test_the_first_attempts_tell_the_unloaded_latency(most, first):
    """A quarter of the slots, four at least: those that end before our own load has built up."""
    hand = Hand(most)
    for number in range(1, 51 + most):
        hand.now = number / 100
        latency_s = 0.05 if number < first else 0.4 if number == first else 0.8
        hand.rule.note(hand.now, latency_s, most)
    hand.rule.tick(hand.now, 0.0)
    assert hand.rule._unloaded_s == pytest.approx(0.05 * 8 ** (1 / first), rel=1e-3)


def test_a_lower_latency_is_the_unloaded_one_from_then_on():
    """The first attempts may have met a busy server."""
    hand = Hand()
    hand.show(0.1)
    hand.show(0.05)
    hand.show(0.12)
    assert hand.show(0.12) == 48


@pytest.mark.parametrize(("times", "width"), [(1.2, 42), (1.3, 64), (0.82, 42), (0.78, 64)])
def test_two_windows_that_are_alike_are_evidence(times, width):
    """A quarter more or less may be chance; from one window alone nothing follows."""
    hand = calm()
    hand.show(0.15 / times)
    assert hand.show(0.15) == width


@pytest.mark.parametrize(("times", "width"), [(0.78, 64), (0.82, 42), (1.22, 42), (1.28, 64)])
def test_a_rate_that_changes_is_no_evidence(times, width):
    """Whatever the latency."""
    hand = calm()
    hand.show(0.15)
    assert hand.show(0.15, per_s=times * BEFORE_PER_S) == width


@pytest.mark.parametrize(("times", "width"), [(2.6, 64), (2.4, 42)])
def test_slots_that_a_few_slow_attempts_hold_are_left_alone(times, width):
    """Where the mean latency is two and a half times the typical one."""
    hand = calm()
    hand.show(0.15, per_s=BEFORE_PER_S / times)
    assert hand.show(0.15, per_s=BEFORE_PER_S / times) == width


@pytest.mark.parametrize(("lag_s", "width"), [(0.0126, 64), (0.0124, 42)])
def test_an_attempt_waits_for_four_turns_of_the_loop(lag_s, width):
    """So much of its latency may be ours."""
    hand = calm()
    hand.show(0.15, lag_s=lag_s)
    assert hand.show(0.15, lag_s=lag_s) == width


def test_a_lag_fades_by_a_fifth_at_each_tick():
    """From 100 ms it takes ten of them, until four times it are less than was added."""
    hand = Hand()
    hand.show(CALM_S, lag_s=0.1)
    widths = [hand.show(0.15) for _ in range(10)]
    assert widths == [64] * 9 + [42]


# -- what is kept of a narrowing, from 64 to 42 --


@pytest.mark.parametrize(("latency_s", "times", "width"), [
    (0.15 * 0.82, 1.1, 42),  # it fell by more than half of the step
    (0.15 * 0.84, 1.1, 64),
    (0.10, 0.93, 42),  # nearly as many answers
    (0.10, 0.88, 64),
    (0.15, 1.30, 42),  # a quarter more of them
    (0.15, 1.23, 64),
])  # fmt: skip
def test_a_narrowing_is_kept_when_latency_falls_with_it(latency_s, times, width):
    """While nine tenths are answered of what was before; more answers are worth any latency.

    It may be narrowed further at once.
    """
    hand = narrowed()
    assert hand.width == 42
    hand.show(latency_s, per_s=times * BEFORE_PER_S)
    assert (hand.width <= 42) == (width == 42)
    hand = narrowed()  # what timed out is no answer
    hand.show(latency_s, per_s=2 * times * BEFORE_PER_S, share=0.5)
    assert (hand.width <= 42) == (width == 42)


def test_a_trial_that_stalls_is_left_when_it_cannot_be_kept_any_more():
    """Even if all the rest of a window came at once: nine tenths of the rate before are not met."""
    hand = narrowed()
    since = hand.now + 0.15
    hand.rule.note(since + 0.01, 0.15, 42)
    left_at = since + (50 + 42) / (0.9 * BEFORE_PER_S)
    hand.rule.tick(left_at - 0.005, 0.0)
    assert hand.width == 42
    hand.rule.tick(left_at + 0.005, 0.0)
    assert hand.width == 64


def test_a_trial_that_failed_is_not_soon_made_again():
    """All together such trials cost a hundredth of the rate.

    Its latency passes for the server's own, in part: four times what it was is tried by half.
    """
    hand = calm()
    hand.show(0.2)
    assert hand.show(0.2) == 32
    began = hand.now
    assert hand.show(0.2) == 64
    pause_s = (hand.now - began) * (1 - 32 / 64) / 0.01
    until = hand.now + pause_s
    hand.show(0.21)
    while hand.now < until - 1:
        assert hand.show(0.21) == 64
    while hand.width == 64 and hand.now < until + 1:
        hand.show(0.21)
    assert hand.width == 48


@pytest.mark.parametrize(("latency_s", "width"), [(0.39, 64), (0.41, 32)])
def test_twice_the_latency_of_a_trial_that_failed_is_tried_at_once(latency_s, width):
    """It is another growth."""
    hand = calm()
    hand.show(0.2)
    hand.show(0.2)
    assert hand.show(0.2) == 64
    hand.show(latency_s)
    assert hand.show(latency_s) == width


# -- how a narrow width ends --


@pytest.mark.parametrize(("latency_s", "in_use", "width"), [
    (0.074, 32, 40),
    (0.076, 32, 32),
    (0.1, 25, 40),
    (0.1, 26, 32),
])  # fmt: skip
def test_a_width_that_nothing_speaks_for_widens_by_a_quarter(latency_s, in_use, width):
    """When latency is not half more than unloaded, or less than four fifths of the slots are used.

    As long as a trial of widening is not due, nothing else does it.
    """
    assert kept().show(latency_s, in_use=in_use) == width


def test_it_widens_to_what_the_user_allows():
    """In steps, rounded up."""
    hand = kept()
    assert [hand.show(CALM_S) for _ in range(5)] == [40, 50, 63, 64, 64]


def test_a_wider_width_is_tried_after_a_second_and_then_less_and_less_often():
    """Each trial that buys nothing doubles the pause, to eight seconds."""
    hand, pauses = kept(), []
    for _ in range(6):
        pauses.append(until_wider(hand))
        assert hand.width == 40
        assert hand.show(CALM_S * 2, per_s=320) == 32
    assert pauses == pytest.approx([1, 2, 4, 8, 8, 8], abs=0.3)
    assert all(pause >= due for pause, due in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True))


@pytest.mark.parametrize(("per_s", "width"), [(320 * 1.11, 32), (320 * 1.15, 63)])
def test_a_wider_width_is_kept_when_more_is_answered(per_s, width):
    """By more than half of the step; the next is tried at once."""
    hand = kept()
    until_wider(hand)
    hand.show(CALM_S * 2, per_s=per_s)
    assert hand.width == width


def test_steps_grow_while_they_are_worth_it():
    """Each by a quarter more than the one before, to double; one that was not is a small one."""
    hand = calm(1024)
    hand.show(6.4)
    assert [hand.show(6.4 / 2**n) for n in range(7)] == [512, 256, 128, 64, 32, 16, 16]
    until_wider(hand)
    assert [hand.width, *(hand.show(0.1) for _ in range(4))] == [20, 32, 63, 126, 252]
    assert hand.show(0.1, per_s=1260) == 126
    assert until_wider(hand) >= 2
    assert hand.width == 158


# -- idling --


@pytest.mark.parametrize(("idle_s", "width"), [(29.9, 32), (30.1, 64)])
def test_what_was_learnt_half_a_minute_ago_is_stale(idle_s, width):
    """From then on all slots may be used, before anything is seen."""
    hand = kept()
    hand.rule.note(hand.now + idle_s + 0.1, 0.1, 1)
    assert hand.width == width


@pytest.mark.parametrize(("idle_s", "width"), [(0.24, 42), (0.26, 64)])
def test_a_quarter_of_a_second_without_anything_under_way_ends_a_trial(idle_s, width):
    """Less may be our own way to the next attempt."""
    hand = narrowed()
    hand.rule.note(hand.now + idle_s + 0.15, 0.15, 1)
    assert hand.width == width
