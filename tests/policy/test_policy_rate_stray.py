"""Refusals that have nothing to do with the rate: what passed behind them is proven."""

import pytest

from altcraft_balance.policy.rate import AdaptiveRate
from benchmarks.rates import Bucket, Client, run

pytestmark = pytest.mark.no_cover  # it would take four times as long

ENDLESS = 10**9


def flood(rate, now, *, sent, refused, sent_before=0, gap_s=0.001, opened_s=0.01):
    """`sent` requests, one after another; some are answered, then `refused` not; when it opens."""
    moments = [now + opened_s + number * gap_s for number in range(sent)]
    rate.limit(now)
    for moment in moments:
        rate.sent(moment)
    end = moments[-1] + 0.05
    for moment in moments[sent_before : sent_before + refused]:
        rate.throttled(end, moment, 1.0)
    for moment in moments[:sent_before] + moments[sent_before + refused :]:
        rate.answered(end, moment)
    return end + 1.01


def limit_after(now, rate, **flooded):
    return rate.limit(flood(rate, now, **flooded))


def proven():
    """A rule that has seen about 1,000/s pass behind a refused request, and when."""
    rate = AdaptiveRate()
    now = flood(rate, 10.0, sent=64, refused=1)
    rate.limit(now)
    return rate, now


# -- what proves something --


def test_a_climb_begins_at_what_passed_behind_the_refused_request():
    """Of 64 under way one was refused; in the 63 ms after it 63 passed, 62 of them gained."""
    rate, now = proven()
    assert rate.limit(now) == pytest.approx(62 / 0.063)


@pytest.mark.parametrize("flooded", [
    {"sent": 64, "refused": 14, "sent_before": 50},  # it ran empty, after it had been full
    {"sent": 7, "refused": 1},  # so few may be chance
    {"sent": 64, "refused": 1, "gap_s": 0.0},  # none was sent after the refused one
    {"sent": 64, "refused": 62},  # two: one, and one that was gained
])  # fmt: skip
def test_what_passed_before_the_refused_request_proves_nothing(flooded):
    """A bucket that ran empty has answered what came before; few requests tell nothing."""
    assert limit_after(10.0, AdaptiveRate(), **flooded) < 60


def test_eight_prove_something():
    """Six were gained in what is taken for 20 ms."""
    assert limit_after(10.0, AdaptiveRate(), sent=8, refused=1) == pytest.approx(6 / 0.02)


def test_requests_sent_at_once_prove_no_endless_rate():
    """What is sent in one moment is taken for spread over 20 ms."""
    assert 1_000 <= limit_after(10.0, AdaptiveRate(), sent=64, refused=1, gap_s=1e-6) <= 3_200


# -- how long it is proven --


@pytest.mark.parametrize("times", [1, 5])
def test_no_refusal_lowers_the_rate_below_what_was_proven(times):
    """Refusals that prove nothing, too few being under way, leave nine tenths of it."""
    rate, now = proven()
    for _ in range(times):
        now = flood(rate, now + 0.1, sent=4, refused=1)
        assert 0.85 * 1_000 <= rate.limit(now) <= 1_000


def test_the_first_request_after_a_pause_may_be_refused_by_chance():
    """The server is not taken for closed when what was sent after it passed."""
    rate, now = proven()
    assert limit_after(now, rate, sent=64, refused=1, opened_s=0.0) >= 850


def test_a_server_that_stays_closed_is_not_asked_as_often_as_was_proven():
    """Nothing passed behind a request that was refused as soon as the pause was over."""
    rate, now = proven()
    for _ in range(4):
        now = flood(rate, now, sent=4, refused=4, opened_s=0.0)
    assert rate.limit(now) < 100


def test_answers_to_requests_of_an_unknown_moment_prove_nothing():
    """They may have been sent before the refused one."""
    rate, now = proven()
    reached = rate.limit(now)
    rate.sent(now)
    rate.throttled(now + 0.1, now, 1.0)
    rate.answered(now + 0.2)
    assert rate.limit(now + 1.1) == pytest.approx(reached / 2)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(("later_s", "is_known"), [(30.0, True), (30.5, False)])
def test_what_was_proven_is_forgotten(times, later_s, is_known):
    """Half a minute after it was proven, last, refusals count again as if nothing were known."""
    rate = AdaptiveRate()
    for time in range(times):
        flood(rate, 10.0 + 20 * time, sent=64, refused=1, gap_s=1e-6)
        now = 12.0 + 20 * time
        rate.limit(now)  # when it is proven
    flood(rate, now + later_s - 2, sent=4, refused=1)
    assert (rate.limit(now + later_s) > 0.85 * 3_100) == is_known


@pytest.mark.parametrize("how", ["outage", "time"])
def test_nothing_is_left_of_it(how):
    """A server that stays closed is asked down to once in two seconds."""
    rate, now = proven()
    if how == "outage":
        rate.recovered(now)
    else:
        now = flood(rate, now + 31, sent=4, refused=1)
        rate.limit(now)
    for _ in range(14):
        now = flood(rate, now, sent=4, refused=1, opened_s=0.0)
    assert rate.limit(now) == 0.5


def test_a_lower_proof_does_not_take_the_place_of_a_higher():
    """Half a minute's best is what counts: fewer under way only prove less."""
    rate, now = proven()
    assert limit_after(now + 0.1, rate, sent=10, refused=1, gap_s=0.01) >= 850


def test_a_quota_that_falls_disproves_it():
    """Where most of what was sent after the refused request was refused, no old proof holds."""
    rate, now = proven()
    assert limit_after(now + 0.1, rate, sent=64, refused=50, sent_before=10) < 100


def test_an_outage_disproves_it():
    """After an outage nothing is known of what passes."""
    rate, now = proven()
    rate.recovered(now)
    assert rate.limit(now) == 10
    assert limit_after(now + 0.1, rate, sent=4, refused=1) < 20


# -- what comes of it --


def test_a_found_rate_is_nearly_kept_through_a_stray_refusal():
    """What is known of the quota is lowered by a tenth, not by three."""
    client = Client(AdaptiveRate(), ENDLESS)
    run(Bucket(1_000, 1_000), [client], until=40.0)
    assert 850 <= limit_after(40.2, client.rule, sent=64, refused=1) <= 960


def test_a_climb_ends_near_where_it_was():
    """A stray refusal on the way up after an outage does not set it back to its start."""
    rate, now = AdaptiveRate(), 0.0
    rate.recovered(now)
    for _ in range(300):
        now += 0.01
        for _ in range(max(1, round(rate.limit(now) / 100))):
            rate.sent(now)
            rate.answered(now, now - 0.02)
    reached = rate.limit(now)
    limit = limit_after(now, rate, sent=32, refused=1, gap_s=1 / reached)
    assert 0.8 * reached <= limit <= 1.1 * reached


@pytest.mark.parametrize(("at_random", "pause_s", "least_per_s"), [
    (0.01, 1.0, 85),
    (0.001, 1.0, 600),
    (0.02, 0.05, 600),
])  # fmt: skip
def test_a_server_that_refuses_at_random_is_used_between_its_pauses(
    at_random, pause_s, least_per_s
):
    """About three quarters of what could be answered, if nothing were learnt from refusals."""
    client = Client(AdaptiveRate(), ENDLESS)
    run(Bucket(10**6, 10**6, at_random), [client], pause_s=pause_s, until=60.0)
    assert len(client.answers) / 60 >= least_per_s


@pytest.mark.parametrize("stored", [1, 7, 200])
@pytest.mark.parametrize("rate_per_s", [800, 2_000])
def test_small_overshoots_of_a_fast_quota_are_learnt_from(rate_per_s, stored):
    """They look as if they had nothing to do with the rate; seven tenths of it are used."""
    client = Client(AdaptiveRate(), ENDLESS)
    run(Bucket(rate_per_s, stored), [client], until=60.0)
    assert len(client.answers) > 0.7 * rate_per_s * 60
