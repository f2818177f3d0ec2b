"""The unknown rate that is found (promises 5 and 6), on a virtual clock."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from altcraft_balance.policy.pace import Gcra
from altcraft_balance.policy.rate import AdaptiveRate
from benchmarks.rates import Bucket, Client, Window, rate_between, run, worst_burst

pytestmark = pytest.mark.no_cover  # it would take four times as long

ENDLESS = 10**9


def looked_up(server, *, items=5_000, **conditions):
    client = Client(AdaptiveRate(), items)
    run(server, [client], **conditions)
    return client


def used(client, start, end, quota=50):
    return rate_between(client, start, end) / quota


def knowing(rate_per_s=50, stored=50, until=30.0):
    """A rule that has found a quota, and when."""
    client = looked_up(Bucket(rate_per_s, stored), items=ENDLESS, until=until)
    return client.rule, until


# -- the quota is respected --


@pytest.mark.parametrize(
    ("stored", "most_requests", "most_time"),
    [(50, 1.02, 1.06), (10, 1.02, 1.06), (1, 1.022, 1.12)],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_unknown_quota_is_respected(stored, most_requests, most_time, seed):
    """5,000 items at 50/s cost at most 2 % of requests and 6 % of time more than they must.

    A bucket of one refuses 99 of the first hundred, and again at the least unevenness: 12 % there.
    """
    client = looked_up(Bucket(50, stored), seed=seed)
    assert len(client.sends) <= most_requests * 5_000
    assert client.answers[-1] <= most_time * (5_000 - stored) / 50


@pytest.mark.parametrize("sliding", [False, True])
@pytest.mark.parametrize(("window_s", "share"), [(1.0, 0.75), (10.0, 0.9)])
def test_a_quota_by_the_window_is_nearly_used(sliding, window_s, share):
    """Windows are no buckets; three quarters are used in the end, and one request in 20 refused."""
    client = looked_up(Window(50 * window_s, window_s, sliding=sliding), items=ENDLESS, until=400.0)
    assert used(client, 200, 400) >= share
    assert len(client.answers) >= 0.95 * len(client.sends)


def test_a_long_pause_makes_probes_rare():
    """Where a refusal costs ten seconds, looking for more costs no larger share of the time."""
    client = looked_up(Bucket(50, 1), items=ENDLESS, pause_s=10.0, until=1_500.0)
    assert used(client, 300, 1_500) >= 0.95


def test_a_bucket_is_told_from_a_window_once():
    """A higher rate is not tried again on a bucket that has shown that it stores."""
    client = looked_up(Bucket(50, 50), items=ENDLESS, until=500.0)
    events = sum(b - a > 0.9 for a, b in itertools.pairwise(client.sends))
    assert events <= 12


def test_answers_that_take_a_second_do_no_harm():
    """The quota is found as well when each answer comes a second late."""
    client = looked_up(Bucket(50, 50), latency=(0.9, 1.1))
    assert len(client.sends) <= 1.06 * 5_000
    assert client.answers[-1] <= 1.12 * 99


@pytest.mark.parametrize("factor", [0.1, 0.5, 2, 10])
@pytest.mark.parametrize("stored", [1, 50])
def test_a_quota_that_changes_is_found_again(factor, stored):
    """About a minute after it has changed, nine tenths of the new quota are used."""
    server = Bucket(lambda now: 50 if now < 100 else 50 * factor, stored)
    client = looked_up(server, items=ENDLESS, until=260.0)
    assert 0.9 <= used(client, 180, 260, 50 * factor) <= 1.1
    refused = len(client.sends) - len(client.answers)
    assert refused <= 250


@pytest.mark.parametrize("latency", [(0.02, 0.05), (0.2, 0.4)])
@pytest.mark.parametrize("start", [0.0, 5.0, 100.0])
def test_two_clients_share_a_quota(start, latency):
    """In the middle one of three runs, neither gets more than twice as much as the other."""
    shares = []
    for seed in (1, 2, 3):
        clients = [Client(AdaptiveRate(), ENDLESS), Client(AdaptiveRate(), ENDLESS, start=start)]
        run(Bucket(50, 50), clients, latency=latency, until=start + 260, seed=seed)
        shares.append(sorted(rate_between(client, start + 60, start + 260) for client in clients))
    assert sorted(more / less for less, more in shares)[1] <= 2
    assert min(map(sum, shares)) >= 45


def test_random_throttling_does_no_lasting_harm():
    """Half a minute after refusals that came whatever the rate, sending is as free as before."""
    server = Bucket(math.inf, 1)
    server.take = lambda now: now > 60 or server.draw() >= 0.01
    client = looked_up(server, items=ENDLESS, until=100.0)
    assert rate_between(client, 10, 60) >= 10
    assert rate_between(client, 90, 100) >= 2_500


def test_an_idle_hour_changes_nothing():
    """Who comes back after an hour sends at the rate that he knew."""
    rule, now = knowing()
    client = Client(rule, ENDLESS, start=now + 3600)
    run(Bucket(50, 50), [client], until=now + 3630)
    assert used(client, now + 3600, now + 3630) == pytest.approx(1, abs=0.03)
    assert len(client.sends) - len(client.answers) <= 2 + client.under_way


def test_a_rate_that_is_not_used_does_not_grow():
    """Two workers that the rate does not hold back do not make it grow for later."""
    rule, now = knowing()
    for step in range(int(200 / 0.1)):
        moment = now + 3 + step * 0.1
        rule.limit(moment)
        rule.sent(moment)
        rule.answered(moment)
    assert rule.limit(now + 203) <= 51


# -- nothing speaks for a limit --


def test_a_healthy_server_sees_no_limit():
    """There is no rate before the first refusal."""
    rule = AdaptiveRate()
    for step in range(1_000):
        assert rule.limit(step / 100) == math.inf
        rule.sent(step / 100)
        rule.answered(step / 100)


def test_one_refusal_does_not_limit_for_long():
    """A climb that meets nothing ends without a limit, a few seconds later."""
    server = Bucket(math.inf, 1)
    refusals = iter([5.0])
    due = next(refusals)

    def take(now):
        nonlocal due
        if now < due:
            return True
        due = next(refusals, math.inf)
        return False

    server.take = take
    client = looked_up(server, items=ENDLESS, until=20.0)
    assert rate_between(client, 10, 20) >= 0.99 * rate_between(client, 1, 5)
    assert client.rule.limit(21.0) == math.inf


def test_refusals_of_calls_alone_are_learnt_from_later():
    """Calls do not ask for the limit; the first batch item that does, begins to climb."""
    rule = AdaptiveRate()
    rule.throttled(1.0, 0.9, 1.0)
    rule.throttled(2.5, 2.4, 1.0)
    assert rule.limit(3.5) == 10
    rule.throttled(4.0, 3.9, 1.0)
    rule.throttled(6.0, 5.9, 1.0)  # a call again, before anybody asked for the limit
    assert rule.limit(7.0) == 5


# -- refusals --


def test_refusals_under_way_together_are_one():
    """Each may prolong the pause, but none of them counts as another event."""
    one, many = knowing()[0], knowing()[0]
    for rule in (one, many):
        rule.throttled(40.0, 39.9, 1.0)
    for late in range(20):
        many.throttled(40.0 + late / 100, 39.9 + late / 1_000, 1.0)
    assert many.limit(41.5) == one.limit(41.5)


def test_refusals_before_anybody_asks_again_are_one():
    """A call that is refused after the pause, before an item was sent, adds to the same event."""
    one, two = knowing()[0], knowing()[0]
    for rule in (one, two):
        rule.throttled(40.0, 39.9, 1.0)
    two.throttled(42.0, 41.9, 1.0)
    assert two.limit(43.5) == one.limit(43.5)


def test_a_server_that_stays_closed_is_asked_less_and_less():
    """Pauses without an answer in between halve the rate, down to one request in two seconds."""
    rule, now = knowing()
    limits = []
    for step in range(20):
        sent_at = now + 5 + 10 * step
        limits.append(rule.limit(sent_at))
        rule.sent(sent_at)
        rule.throttled(sent_at + 0.05, sent_at, 1.0)
    assert limits[2:6] == pytest.approx([limits[1] / 2**n for n in range(1, 5)], rel=0.01)
    assert limits[-1] == 0.5


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["limit", "sent", "answered", "throttled", "recovered"]),
            st.floats(0, 100),
            st.floats(0, 2),
            st.floats(0, 900),
        ),
        max_size=200,
    )
)
@settings(deadline=None, derandomize=True)
def test_no_order_of_events_breaks_it(events):
    """Whatever happens in whatever order, the limit is a rate of at least 0.5/s."""
    rule, now = AdaptiveRate(), 0.0
    for name, later_s, latency_s, pause_s in events:
        now += later_s**3 / 1e4
        if name == "throttled":
            rule.throttled(now, now - latency_s, pause_s)
        else:
            getattr(rule, name)(now)
        assert rule.limit(now) >= 0.5


@given(st.integers(0, 10**6), st.sampled_from([0.7, 3, 50, 2_000]), st.sampled_from([1, 7, 200]))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_any_bucket_is_used_and_seldom_refuses(seed, rate_per_s, stored):
    """Whatever the bucket, two thirds of it are used, and few requests refused."""
    client = looked_up(Bucket(rate_per_s, stored), items=ENDLESS, until=60.0, seed=seed)
    assert len(client.answers) >= 0.65 * min(rate_per_s, 2_500) * 60
    assert len(client.sends) - len(client.answers) <= 200 + 0.05 * len(client.sends)


# -- after an outage --


def after_an_outage(capacity, slots, *, rule=None, seconds=30):
    """Moments of sending and of answering; a server that serves in turn; one answer at 0 s."""
    rule, pace = rule or AdaptiveRate(), Gcra(math.inf)
    rule.recovered(0.0)
    under_way, served, sends, answers = 0, 0.0, [], []
    for now in (ms / 1_000 for ms in range(seconds * 1_000)):
        served = min(served + capacity / 1_000, under_way)
        while served >= 1:
            served, under_way = served - 1, under_way - 1
            answers.append(now)
            rule.answered(now)
        pace.rate_per_s = rule.limit(now)
        while under_way < slots and pace.wait_s(now) == 0:
            pace.spend(now)
            rule.sent(now)
            sends.append(now)
            under_way, pace.rate_per_s = under_way + 1, rule.limit(now)
    return sends, answers, rule


@pytest.mark.parametrize(("capacity", "slots"), [(200, 64), (200, 500), (3_000, 64), (60, 64)])
def test_a_server_that_comes_back_is_not_overrun(capacity, slots):
    """At most a quarter of a second's capacity in 100 ms, and nine tenths of it before 30 s."""
    sends, answers, rule = after_an_outage(capacity, slots)
    assert worst_burst(sends) <= 0.25 * capacity
    assert sum(20 <= moment < 21 for moment in answers) >= 0.9 * capacity
    assert rule.limit(30.0) == math.inf or capacity == 3_000


def test_it_starts_from_ten_and_doubles():
    """Ten requests in the first second or so, and never twice what was answered in the last."""
    sends, answers, _ = after_an_outage(3_000, 64)
    assert sum(moment < 1 for moment in sends) in range(10, 20)
    for second in range(2, 8):
        before = sum(second - 1.06 <= moment < second for moment in answers)
        assert sum(second <= moment < second + 0.1 for moment in sends) <= 0.2 * before + 3


def test_it_starts_from_a_quarter_of_what_was_answered_before():
    """An outage that begins while 100/s are answered ends with 25/s; nothing is told by silence."""
    rule = AdaptiveRate()
    rule.stopped(0.0)
    for step in range(500):
        rule.limit(step / 100)
        rule.sent(step / 100)
        rule.answered(step / 100)
    rule.stopped(5.0)
    rule.recovered(30.0)
    assert rule.limit(30.0) == pytest.approx(25, rel=0.1)


def test_a_known_limit_holds_after_an_outage():
    """The climb after an outage ends at the rate that was known before it."""
    rule, _ = knowing()
    sends, _, rule = after_an_outage(3_000, 64, rule=_forget_the_clock(rule))
    assert sum(5 <= moment < 25 for moment in sends) == pytest.approx(1_000, rel=0.03)


def _forget_the_clock(rule):
    """Move the rule's clock so that `after_an_outage` may begin at 0 s."""
    return type("Shifted", (), {
        name: (lambda method: lambda self, now: method(now + 100.0))(getattr(rule, name))
        for name in ("limit", "sent", "answered", "recovered")
    })()  # fmt: skip
