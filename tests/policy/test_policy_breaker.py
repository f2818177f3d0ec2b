"""The breaker: twenty failures in a row, then one probe at a time."""

import math

import pytest

from altcraft_balance.policy.backoff import probe_after_s
from altcraft_balance.policy.breaker import _NEXT, FAILURES_TO_OPEN, Breaker, BreakerState, _Event

CLOSED, OPEN, PROBING = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.PROBING


def opened(now=0.0, draw=0.0):
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        fails(breaker, now, draw=draw)
    return breaker


def probing(now=0.0):
    breaker = opened(now)
    assert breaker.sent(now + 1, 0.0)
    return breaker


def fails(breaker, now, *, probe=False, draw=0.0, replied=True):
    return breaker.failed(now, probe=probe, draw=draw, replied=replied)


STEPS = [
    # where it is, what happens, where it is then, what is said of it
    (Breaker, lambda b: fails(b, 5.0), CLOSED, False),
    (Breaker, lambda b: b.answered(probe=False), CLOSED, False),
    (Breaker, lambda b: b.sent(5.0, 0.5), CLOSED, False),
    (opened, lambda b: b.sent(5.0, 0.5), PROBING, True),
    (opened, lambda b: fails(b, 5.0), OPEN, False),
    (opened, lambda b: b.answered(probe=False), OPEN, False),
    (probing, lambda b: b.answered(probe=True), CLOSED, True),
    (probing, lambda b: fails(b, 5.0, probe=True), OPEN, True),
    (probing, lambda b: b.lost(5.0, sent=True), OPEN, None),
    (probing, lambda b: fails(b, 5.0), PROBING, False),
    (probing, lambda b: b.answered(probe=False), PROBING, False),
]


@pytest.mark.parametrize(("make", "happens", "then", "said"), STEPS)
def test_each_event_has_one_outcome_in_each_state(make, happens, then, said):
    """What was sent before the trip changes nothing; the probe decides."""
    breaker = make()
    assert happens(breaker) is said
    assert breaker.state is then


def test_the_table_has_no_other_transitions():
    """An event that makes no sense in a state is a bug, not a transition."""
    assert {(state.name, event.name): then.name for (state, event), then in _NEXT.items()} == {
        ("CLOSED", "TRIPPED"): "OPEN",
        ("OPEN", "DUE"): "PROBING",
        ("PROBING", "ANSWERED"): "CLOSED",
        ("PROBING", "FAILED"): "OPEN",
        ("PROBING", "LOST"): "OPEN",
    }
    for breaker, event in ((Breaker(), _Event.DUE), (probing(), _Event.DUE)):
        with pytest.raises(KeyError):
            breaker._move(event)


@pytest.mark.parametrize("failures", [1, 4, 5, 19, 20, 21])
def test_twenty_failures_in_a_row_open_it(failures):
    """Said once, by the twentieth."""
    breaker = Breaker()
    said = [fails(breaker, 0.0) for _ in range(failures)]
    assert said == [number == 20 for number in range(1, failures + 1)]
    assert (breaker.state is OPEN) == (failures >= 20)
    assert (breaker.wait_s(0.0) > 0) == (failures >= 20)


def test_an_answer_begins_the_count_anew():
    """Nineteen, an answer and nineteen more are no outage."""
    breaker = Breaker()
    for _ in range(3):
        for _ in range(19):
            fails(breaker, 0.0)
        breaker.answered(probe=False)
        assert (breaker.state, breaker.failures) == (CLOSED, 0)


@pytest.mark.parametrize(
    ("moments", "opens"),
    [
        ([0.0, 0.1, 0.2, 0.3, 0.5], True),
        ([0.0, 0.1, 0.2, 0.3, 0.49], False),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5], True),
        ([0.0, 10.0, 20.0, 30.0], False),
        ([0.0, 10.0, 20.0, 30.0, 40.0], True),
    ],
)
def test_five_without_a_reply_are_enough_if_they_take_half_a_second(moments, opens):
    """Where few are under way there are never twenty; a burst that fails at once proves little."""
    breaker = Breaker()
    said = [fails(breaker, now, replied=False) for now in moments]
    assert said == [False] * (len(moments) - 1) + [opens]


@pytest.mark.parametrize(
    "between", [lambda b: fails(b, 3.0), lambda b: b.answered(probe=False)], ids=["500", "answer"]
)
def test_a_reply_of_any_kind_breaks_the_silence(between):
    """Who replies with an error is there; then twenty failures are needed."""
    breaker = Breaker()
    for now in (0.0, 1.0, 2.0, 2.5):
        fails(breaker, now, replied=False)
    between(breaker)
    assert not fails(breaker, 4.0, replied=False)
    said = [fails(breaker, 4.0 + number / 10, replied=False) for number in range(1, 6)]
    assert said == [False] * 3 + [False, True]


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_probes_become_rarer_from_one_second_to_thirty(draw):
    """The first is due a second after the trip; no two are less than a second apart."""
    breaker, now, gaps, sent = opened(100.0, draw), 100.0, [], []
    for number in range(50):
        assert breaker.probes == number
        sent.append(now)
        gaps.append(breaker.wait_s(now))
        now += gaps[-1]
        assert breaker.wait_s(now) == 0.0
        assert breaker.sent(now, draw)
        assert breaker.wait_s(now) == math.inf, "one probe at a time"
        fails(breaker, now, probe=True)
    assert gaps == [pytest.approx(probe_after_s(at - 100.0, draw)) for at in sent]
    assert gaps[0] < 1.5
    assert gaps[-1] == pytest.approx(15 * (1 + draw))


def test_the_pause_is_counted_from_when_the_probe_was_sent():
    """A probe that took longer than the pause is followed by the next one at once."""
    breaker = probing()
    fails(breaker, 60.0, probe=True)
    assert breaker.wait_s(60.0) == 0.0


def test_a_probe_that_is_answered_ends_it_all():
    """Count and pauses begin anew."""
    breaker = probing()
    breaker.answered(probe=True)
    assert (breaker.failures, breaker.probes, breaker.wait_s(2.0)) == (0, 0, 0.0)
    again = [fails(breaker, 50.0) for _ in range(20)]
    assert again == [False] * 19 + [True]
    assert breaker.wait_s(50.0) == 1.0


def test_a_probe_that_was_never_sent_leaves_its_turn_to_the_next():
    """Its caller went away before: nobody should wait for it."""
    breaker = probing()
    breaker.lost(1.5, sent=False)
    assert (breaker.state, breaker.wait_s(1.5)) == (OPEN, 0.0)
    assert breaker.sent(1.5, 0.0)


def test_callers_that_give_up_do_not_probe_without_a_pause():
    """A probe that was cut off counts as one: the next is due when it would have been."""
    breaker = probing()
    breaker.lost(1.5, sent=True)
    assert (breaker.state, breaker.wait_s(1.5)) == (OPEN, 0.5)


@pytest.mark.parametrize(("elapsed_s", "lasting"), [(0, False), (899.9, False), (900, True)])
def test_an_outage_that_lasts_15_minutes_is_told_apart(elapsed_s, lasting):
    """Until then a batch waits it out."""
    breaker = Breaker()
    assert not breaker.is_lasting(1e9)
    for _ in range(20):
        fails(breaker, 100.0)
    assert breaker.is_lasting(100.0 + elapsed_s) is lasting
    breaker.sent(100.0 + elapsed_s, 0.0)
    assert breaker.is_lasting(100.0 + elapsed_s) is lasting
    breaker.answered(probe=True)
    assert not breaker.is_lasting(1e9)


def test_an_alarm_that_is_doubted_is_tested_at_once():
    """The first probe needs no pause; those after it do."""
    breaker = opened(100.0)
    breaker.doubt(100.0)
    assert breaker.wait_s(100.0) == 0.0
    breaker.sent(100.0, 0.0)
    fails(breaker, 100.1, probe=True)
    assert breaker.wait_s(100.1) == pytest.approx(0.9)


@pytest.mark.parametrize(("doubted", "probes"), [(True, 1), (True, 2), (False, 1)])
def test_an_alarm_is_false_if_the_doubt_was_right(doubted, probes):
    """Then the server was well all the time."""
    breaker = opened(0.0)
    assert not breaker.false_alarm
    if doubted:
        breaker.doubt(0.0)
    for number in range(probes):
        breaker.sent(number * 2.0, 0.0)
        if number + 1 < probes:
            fails(breaker, number * 2.0, probe=True)
    breaker.answered(probe=True)
    assert breaker.false_alarm is (doubted and probes == 1)
    for _ in range(20):
        fails(breaker, 50.0)
    breaker.sent(52.0, 0.0)
    breaker.answered(probe=True)
    assert not breaker.false_alarm, "each alarm is doubted anew"


@pytest.mark.parametrize(("has_s", "due"), [(0.89, False), (1.0, True), (math.inf, True)])
def test_who_has_far_more_time_than_those_who_failed_is_the_probe(has_s, due):
    """Their 0.3 s of silence say little to a caller who has more than three times as much."""
    breaker = Breaker()
    for now in range(5):
        breaker.failed(now, probe=False, draw=0.0, patience_s=0.3 if now else 0.1)
    assert breaker.state is OPEN
    breaker.hurry(4.0, has_s)
    assert (breaker.wait_s(4.0) == 0.0) is due
    if due:
        breaker.sent(4.0, 0.0)
        breaker.failed(5.0, probe=True, draw=0.0, patience_s=has_s)
        breaker.hurry(5.0, has_s)
        assert breaker.wait_s(4.5) > 0, "as much has been in vain now"


def test_what_patience_does_not_help_is_not_hurried():
    """Nobody listens: that is so for everybody."""
    breaker = opened(0.0)
    breaker.hurry(0.0, math.inf)
    assert breaker.wait_s(0.0) == 1.0


def test_an_answer_makes_short_silences_tell_again():
    """What was in vain before it is forgotten."""
    breaker = opened(0.0)
    breaker.sent(1.0, 0.0)
    breaker.answered(probe=True)
    for now in range(10, 15):
        breaker.failed(now, probe=False, draw=0.0, patience_s=0.3)
    breaker.hurry(14.0, 1.0)
    assert breaker.wait_s(14.0) == 0.0
