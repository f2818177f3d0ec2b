"""Refusals that have nothing to do with the rate change nothing but the pause."""

import math

import pytest

from altcraft_balance.policy.rate import AdaptiveRate
from benchmarks.rates import Bucket, Client, run


def flood(rate, now, *, sent, refused, sent_before=0):
    """`sent` requests at `now`, one after another; the first `refused` are, at the end."""
    rate.limit(now)
    for number in range(sent):
        rate.sent(now + number / 1000)
    for number in range(refused):
        rate.throttled(now + 0.05, now + (sent_before + number) / 1000, 1.0)
    for number in range(sent_before):
        rate.answered(now + 0.06, now + number / 1000)
    for number in range(sent_before + refused, sent):
        rate.answered(now + 0.06, now + number / 1000)
    return now + 1.1


def test_one_refusal_among_many_answers_changes_no_rate():
    """One of 64 under way was refused, and nearly all that were sent later were not."""
    rate = AdaptiveRate()
    now = flood(rate, 10.0, sent=64, refused=1)
    assert rate.limit(now) == math.inf


@pytest.mark.parametrize(("sent", "refused", "sent_before"), [(64, 40, 0), (64, 14, 50), (8, 2, 0)])
def test_what_was_sent_before_the_refused_one_proves_nothing(sent, refused, sent_before):
    """A bucket that ran empty has answered what came before; few requests tell nothing."""
    rate = AdaptiveRate()
    now = flood(rate, 10.0, sent=sent, refused=refused, sent_before=sent_before)
    assert rate.limit(now) < math.inf


def test_a_found_rate_is_kept_through_a_stray_refusal():
    """What is known of the quota stays known."""
    client = Client(AdaptiveRate(), 10**9)
    run(Bucket(1_000, 1_000), [client], until=40.0)
    rate = client.rule
    found = rate.limit(40.0)
    now = flood(rate, 40.2, sent=64, refused=1)
    assert rate.limit(now) == pytest.approx(found, rel=0.02)


def test_a_climb_goes_on_from_where_it_was():
    """A stray refusal on the way up does not end the climb, nor set it back to its start."""
    rate, now = AdaptiveRate(), 0.0
    rate.recovered(now)
    for _ in range(300):
        now += 0.01
        limit = rate.limit(now)
        for _ in range(max(1, round(limit / 100))):
            rate.sent(now)
            rate.answered(now, now - 0.02)
    reached = rate.limit(now)
    assert 40 < reached < math.inf
    now = flood(rate, now, sent=32, refused=1)
    assert reached <= rate.limit(now) < 2 * reached


def test_a_server_that_refuses_at_random_is_used_between_its_pauses():
    """1 % at random, each with a pause of a second: what the pauses leave is used."""
    client = Client(AdaptiveRate(), 10**9)
    run(Bucket(10**6, 10**6, at_random=0.01), [client], until=200.0)
    assert len(client.answers) / 200 > 60
