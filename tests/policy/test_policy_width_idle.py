"""The width of a client that idles: no window and no trial spans what nobody asked for."""

from collections.abc import Callable

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
        if self.width.due(self.now):
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
