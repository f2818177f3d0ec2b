"""The rule's own figures, by hand: each look, each request and each refusal at its exact moment."""

import math

import pytest

from altcraft_balance.policy.rate import AdaptiveRate


def at(rate, now, *, sent=0, answered=0):
    """The limit at a moment by which so many more were sent, and so many answered."""
    for _ in range(sent):
        rate.sent(now)
    for _ in range(answered):
        rate.answered(now)
    return rate.limit(now)


def refused(rate, now, sent_at, pause_s=1.0):
    """The limit when the pause after a refusal is over."""
    rate.throttled(now, sent_at, pause_s)
    return rate.limit(now + pause_s)


def climbing(answered=0):
    """A rule in its first climb from 2 s on, after so many answers in the second before."""
    rate = AdaptiveRate()
    at(rate, 0.0)
    at(rate, 0.5, sent=answered, answered=answered)
    refused(rate, 1.0, 0.875)
    return rate


def keeping(accepted, seconds=1.0, pause_s=1.0):
    """A rule that keeps what it found: so many in so many seconds, and in the pause before them.

    The bucket stores a thousand tokens, so that the mean is what counts. It keeps it from 0 s on.
    """
    rate = AdaptiveRate()
    at(rate, -110.0)
    at(rate, -10.5, answered=1_000)
    assert refused(rate, -10.0, -10.25) == 10
    at(rate, seconds - 9.0, sent=accepted, answered=accepted)
    limit = refused(rate, -pause_s, seconds - 9.0, pause_s)
    assert limit == pytest.approx(0.995 * accepted / (1 + seconds))
    return rate


def used(rate, *moments):
    """The limit at the last of these moments; at each, what was allowed was sent."""
    return [at(rate, now, sent=1_000, answered=1_000) for now in moments][-1]


# -- looks --


def test_when_the_next_look_is_due():
    """A second later without a limit; with one after two requests, at most 20 times a second."""
    rate = AdaptiveRate()
    at(rate, 5.0)
    assert rate.look_at == 6.0
    rate = climbing()
    assert rate.look_at == 2.2
    assert used(rate, 2.5, 3.0, 3.5, 4.0) == 160
    assert rate.look_at == 4.05


# -- a climb --


def test_a_climb_is_fourfold_each_second():
    """From ten a second on; one look makes it no older than half a second."""
    assert climbing().rate_per_s == 10
    assert used(climbing(), 2.5) == 20
    assert used(climbing(), 2.5, 3.0) == 40
    assert used(climbing(), 3.5) == 20


def test_a_climb_begins_at_what_was_answered_in_the_second_before():
    """Counted until the pause is over; what was answered earlier is not."""
    assert climbing(60).rate_per_s == 60 / 2.0
    rate = AdaptiveRate()
    for now, answered in ((0.0, 0), (1.0, 500), (2.0, 300), (3.0, 300)):
        at(rate, now, sent=answered, answered=answered)
    at(rate, 3.0, sent=120, answered=120)
    assert refused(rate, 4.0, 3.5) == pytest.approx(420 / 3.0)
    # Calls are refused before anybody asked for a limit: since the first request.
    rate = AdaptiveRate()
    for _ in range(90):
        rate.answered(0.5)
    assert refused(rate, 1.0, 0.5) == 90 / 1.5


def test_a_climb_goes_on_while_seven_tenths_are_used():
    """Exactly so much suffices; less leaves it where it is."""
    assert at(climbing(), 3.0, sent=7) == 20
    assert at(climbing(), 3.0, sent=6) == 10


def test_a_climb_ends_when_less_than_six_tenths_are_used():
    """Within two seconds: exactly so much is no sign that nothing is limited."""
    for sent, limit in ((6, 10), (5, math.inf)):
        rate = climbing()
        at(rate, 3.0, sent=6)
        rate.look_at = 4.0
        assert at(rate, 4.0, sent=sent) == limit
    assert at(climbing(), 3.9) == 10


# -- after an outage --


@pytest.mark.parametrize(("seconds", "start"), [(1, 12.5), (2, 25), (4, 37.5)])
def test_an_outage_ends_at_a_quarter_of_what_was_answered_before(seconds, start):
    """In the two seconds before it; 100 in each of the first three seconds, then 200."""
    rate = AdaptiveRate()
    for second in range(seconds + 1):
        for _ in range(0 if second == 0 else 200 if second > 3 else 100):
            rate.answered(second)
        rate.limit(second)
    rate.stopped(float(seconds))
    rate.recovered(60.0)
    assert rate.rate_per_s == start


def test_after_an_outage_a_climb_is_twofold():
    """Each second; and at most twice what was answered in the last, whatever came before."""
    rate = AdaptiveRate()
    rate.recovered(0.0)
    assert used(rate, 0.5, 1.0, 1.5, 2.0) == 40
    assert [at(rate, now, sent=1_000, answered=n) for now, n in ((2.5, 0), (3.0, 0))][-1] == 10


def test_after_an_outage_what_is_answered_is_a_rate():
    """Of the time that it took: 40 in two seconds are 20 a second, twice of which is allowed."""
    rate = AdaptiveRate()
    at(rate, 0.0)
    at(rate, 2.0, sent=8_000, answered=8_000)
    rate.stopped(2.0)
    rate.recovered(60.0)
    assert rate.rate_per_s == 1_000
    assert at(rate, 62.0, sent=2_000, answered=40) == 40


# -- what is kept --


@pytest.mark.parametrize(("pause_s", "hold_s"), [(1.0, 1.5), (2.0, 3.0), (0.25, 1.5)])
def test_what_was_found_is_kept_and_then_probed(pause_s, hold_s):
    """For a second and a half of use, then more by a cube of time; longer after a longer pause."""
    rate = keeping(9, pause_s=pause_s)
    held = [step / 2 for step in range(1, int(2 * hold_s) + 1)]
    assert used(rate, *held) == pytest.approx(0.995 * 4.5)
    for over_s in (0.5, 1.0, 1.5):
        assert used(rate, hold_s + over_s) == pytest.approx(0.995 * 4.5 + 0.4 * over_s**3)


def test_what_was_found_twice_is_kept_for_a_minute():
    """Within a twentieth; the pause between is a second."""
    rate = keeping(9)
    used(rate, 0.5, 1.0, 1.5, 2.0)
    limit = refused(rate, 2.25, 2.0)
    assert limit == pytest.approx(0.995 * 0.995 * 4.5)
    began = 3.25
    assert used(rate, *(began + step / 2 for step in range(1, 121))) == limit
    assert used(rate, began + 60.5) == pytest.approx(limit + 0.4 * 0.5**3)


def test_what_is_refused_while_it_is_kept_falls_to_seven_tenths():
    """At the very end of that time, too; one that is refused above it had surely passed."""
    for kept_s, limit in ((1.0, 0.7 * 4.5), (1.5, 0.7 * 4.5), (2.0, 0.995 * 4.5)):
        rate = keeping(9)
        used(rate, *(step / 2 for step in range(1, int(2 * kept_s) + 1)))
        assert refused(rate, kept_s + 0.25, kept_s) == pytest.approx(0.995 * limit)


@pytest.mark.parametrize(("accepted", "found"), [(3, 3 / 2), (4, 5 / 1), (9, 10 / 1)])
def test_a_bucket_that_stores_nothing_shows_its_rate(accepted, found):
    """By what it accepted, and one, since it was full; fewer than four are no stretch."""
    assert emptied(accepted).rate_per_s == pytest.approx(0.995 * found)


def emptied(accepted):
    """A rule that keeps what a bucket without a store has shown it, from 1 s on."""
    rate = AdaptiveRate()
    assert refused(rate, -10.0, -10.25) == 10
    at(rate, -8.0, sent=accepted, answered=accepted)
    refused(rate, 0.0, -8.0)
    return rate


def test_fewer_than_four_tell_nothing_of_the_stretch_that_they_took():
    """Three in a tenth of a second, behind three in nine tenths."""
    rate = AdaptiveRate()
    refused(rate, -10.0, -10.25)
    at(rate, -8.1, sent=3, answered=3)
    rate.look_at = -8.0
    at(rate, -8.0, sent=3, answered=3)
    assert refused(rate, 0.0, -8.0) == pytest.approx(0.995 * 7)


def test_what_is_found_just_below_what_was_allowed_is_trusted():
    """Four at once at ten a second, and the fifth is refused: that is kept for a minute."""
    rate = climbing()
    for _ in range(4):
        rate.sent(2.18)
        rate.answered(2.18)
    assert refused(rate, 2.18, 2.18) == pytest.approx(0.995 * 10)
    assert used(rate, *(3.18 + step / 2 for step in range(1, 9))) == pytest.approx(0.995 * 10)


def test_a_bucket_that_stores_more_than_was_thought_is_learnt():
    """30 were accepted where 20 a second are the mean: it had 20. Of 62 later ones 43 were gained.

    Those and the one that was refused, in six and a half seconds.
    """
    rate = emptied(9)
    at(rate, 1.5, sent=30, answered=30)
    assert refused(rate, 2.0, 1.5, 4.0) == pytest.approx(0.995 * 0.7 * 10)
    for step in range(1, 13):
        at(rate, 6.0 + step / 2, sent=4, answered=4)
    at(rate, 12.5, sent=14, answered=14)
    assert refused(rate, 12.75, 12.5) == pytest.approx(0.995 * 43 / 6.5)


def test_a_climb_ends_at_what_was_found():
    """However slow: a server that was closed for longer than it said is asked half as often."""
    rate = keeping(1, 0.5)  # two in three seconds
    assert at(rate, 0.0, sent=1, answered=1) == pytest.approx(0.995 * 2 / 3)
    assert refused(rate, 0.25, 0.0) == 0.5
    assert at(rate, 5.25, sent=2) == pytest.approx(0.995 * 2 / 3)
    # It is kept from then on, not from a second before.
    for now in (8.5, 12.0, 15.5):
        assert at(rate, now, sent=9) == pytest.approx(0.995 * 2 / 3)
    assert at(rate, 19.0, sent=9) == pytest.approx(0.995 * 2 / 3 + 0.4 * 0.5**3)


# -- which refusals are one, and what is proven --


def test_a_request_that_was_sent_as_a_refusal_arrived_is_of_the_same():
    """One that was sent later is another, and the time until the next refusal counts from it."""
    for sent_at, seconds in ((-10.0, 4.0), (-9.5, 3.0)):
        rate = AdaptiveRate()
        at(rate, -110.0)
        at(rate, -10.5, answered=1_000)
        rate.throttled(-10.0, -10.25, 1.0)
        refused(rate, -9.0, sent_at)
        at(rate, -7.0, sent=6, answered=6)
        rate.look_at = -6.0
        at(rate, -6.0, sent=6, answered=6)
        assert refused(rate, -5.0, -6.0) == pytest.approx(0.995 * 12 / seconds)


# -- exactly at a bound: by its own steps, since no run meets it --


def kept_at(found, *, allowed=100.0, passed=100.0):
    rate = AdaptiveRate()
    rate._found, rate.rate_per_s, rate._passed = found, allowed, passed
    return rate


def test_findings_that_differ_by_a_twentieth_agree():
    """Exactly so much, of each other or of what was allowed."""
    rate = kept_at(20.0)
    rate._refused_above(19.0)
    assert rate._trusted
    rate = kept_at(1.0)
    rate._refused_above(95.0)
    assert rate._trusted


def test_what_passed_must_be_more_than_three_tenths_above_it_for_a_trial():
    """Exactly so much is no sign of a window."""
    rate = kept_at(20.0, passed=26.0)
    rate._refused_above(20.0)
    assert (rate._trial, rate._found) == (False, 20.0)


def test_a_climb_that_meets_what_was_found_ends_there():
    """Exactly at it."""
    rate = climbing()
    rate._found = 10.0
    assert rate._now_allowed(2.0) == pytest.approx(9.95)
