"""The width of a client that idles: no window and no trial spans what nobody asked for."""

from collections.abc import Callable

import pytest

from altcraft_balance.policy.width import AdaptiveWidth

MOST = 64


class Bursts:
    """All slots are used for a while, then none is; attempts take as long as they are told to."""

    def __init__(self, most: int = MOST) -> None:
        self.width = AdaptiveWidth(most)
        self.now = 0.0
        self.widths: list[int] = []

    def end(self, latency_s: float, in_use: int) -> None:
        self.width.note(self.now, latency_s, in_use)
        if self.width.due_at <= self.now:
            self.width.tick(self.now, 0.0)
        self.widths.append(self.width.width)

    def busy(self, for_s: float, latency_s: Callable[[int], float]) -> None:
        until = self.now + for_s
        while self.now < until:
            used = self.width.width
            self.now += latency_s(used) / used
            self.end(latency_s(used), used)

    def back(self, idle_s: float, latency_s: Callable[[int], float]) -> None:
        """The first attempt to end after so long with nothing under way."""
        used = self.width.width
        self.now += idle_s + latency_s(used)
        self.end(latency_s(used), used)

    def trickle(self, count: int, every_s: float, latency_s: Callable[[int], float]) -> None:
        """One at a time, that many."""
        for _ in range(count):
            self.now += every_s
            self.end(latency_s(1), 1)

    def until_changed(self, latency_s: Callable[[int], float], *, narrower: bool) -> int:
        """Go on until a trial that narrows (or widens) has just begun; the width before it."""
        for _ in range(100_000):
            before = self.width.width
            self.busy(0.001, latency_s)
            if self.width.width < before if narrower else self.width.width > before:
                return before
        raise AssertionError("the width never changed")


def healthy(used: int) -> float:
    return 0.05


def slower(used: int) -> float:
    return 0.15


def eight_workers(used: int) -> float:
    return 0.05 * max(1.0, used / 8)


def narrowed() -> Bursts:
    """A client that has learnt to ask eight workers by few."""
    client = Bursts()
    client.busy(5.0, healthy)
    client.busy(20.0, eight_workers)
    assert client.width.width <= 20
    return client


@pytest.mark.parametrize("idle_s", [0.5, 29.0])
def test_idling_undoes_a_narrowing_trial(idle_s):
    """Nobody can tell any more what the narrower width was worth: the one before is back."""
    client = Bursts()
    client.busy(5.0, healthy)
    before = client.until_changed(eight_workers, narrower=True)
    client.back(idle_s, eight_workers)
    assert client.width.width == before


def test_time_idled_is_not_what_a_trial_cost():
    """The pause after a trial is for the rate it may have lost, and nobody asked meanwhile."""
    client = Bursts()
    client.busy(5.0, healthy)
    client.until_changed(eight_workers, narrower=True)
    client.back(20.0, eight_workers)
    client.busy(60.0, eight_workers)
    assert client.width.width <= 20


def test_idling_undoes_a_widening_trial():
    """The same for a width that was tried because the queue may be over."""
    client = narrowed()
    before = client.until_changed(eight_workers, narrower=False)
    client.back(1.0, eight_workers)
    assert client.width.width == before


@pytest.mark.parametrize("idle_s", [10.0, 3600.0])
@pytest.mark.parametrize("trial_s", [0.0, 0.01, 0.1, 0.3])
def test_idling_makes_nobody_deaf(trial_s, idle_s):
    """Wherever in a trial it fell, a healthy server is asked by all within four seconds."""
    client = narrowed()
    client.until_changed(eight_workers, narrower=False)
    client.busy(trial_s, eight_workers)
    client.back(idle_s, healthy)
    client.busy(4.0, healthy)
    assert client.width.width == MOST


def test_what_was_learnt_half_a_minute_ago_is_stale():
    """The first attempt that ends after that finds all slots allowed."""
    client = narrowed()
    client.back(31.0, healthy)
    assert client.width.width == MOST


def test_what_was_learnt_a_moment_ago_counts():
    """A stretch of some seconds floods no server that queues."""
    client = narrowed()
    narrow = client.width.width
    client.back(20.0, eight_workers)
    assert client.width.width <= narrow * 1.25 + 1


def test_a_server_that_still_queues_is_found_out_again():
    """Wide again after a long stretch, and within five seconds as narrow as before."""
    client = narrowed()
    client.back(3600.0, eight_workers)
    assert client.width.width == MOST
    client.busy(5.0, eight_workers)
    assert client.width.width <= 20


@pytest.mark.parametrize("latency_s", [0.01, 0.05, 0.5, 0.7])
def test_a_trickle_makes_stale_as_idling_does(latency_s):
    """Single calls, one each second, keep no client narrow: they say nothing about its width."""
    client = narrowed()
    client.trickle(40, 1.0, lambda used: latency_s)
    assert client.width.width == MOST


def test_a_trickle_tells_the_unloaded_latency():
    """Who has called one by one since the start knows a queue for one when a batch comes."""
    client = Bursts()
    client.trickle(60, 1.0, healthy)
    client.busy(20.0, eight_workers)
    assert client.width.width <= 20


def test_pauses_of_a_batch_are_within_a_window():
    """A fifth of a second of nothing, again and again, hides no queue."""
    client = Bursts()
    client.busy(5.0, healthy)
    for _ in range(20):
        client.back(0.2, eight_workers)
        client.busy(1.0, eight_workers)
    assert client.width.width <= 20


def test_trials_that_are_cut_short_cost_little():
    """Bursts too short for a whole trial, on a server slower for good, are not narrowed each."""
    client = Bursts()
    client.busy(5.0, healthy)
    client.widths.clear()
    for _ in range(200):
        client.back(1.0, slower)
        client.busy(0.9, slower)
    lost = sum(1 - width / MOST for width in client.widths) / len(client.widths)
    assert 0 < lost < 0.02


def test_a_stalled_trial_makes_nobody_deaf():
    """The first attempt to end after three seconds tells how long to wait, not the stall."""
    client = Bursts()
    client.busy(5.0, healthy)
    client.until_changed(slower, narrower=True)
    client.now += 3.0
    client.end(3.0, client.width.width)
    assert client.width.width == MOST
    client.busy(12.0, eight_workers)
    assert client.width.width < MOST
