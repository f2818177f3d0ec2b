"""Limits: each ends its own task, at its time, and nobody else's."""

import asyncio

import async_solipsism
import pytest

from altcraft_balance.transport.scope import Scope
from altcraft_balance.transport.sweep import Sweep

pytestmark = pytest.mark.filterwarnings("ignore::async_solipsism.ResolutionWarning")


@pytest.fixture
def run():
    """Run a coroutine on a virtual clock."""

    def run(coroutine):
        with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
            return runner.run(coroutine)

    return run


def now():
    return asyncio.get_running_loop().time()


async def until_limit(sweep, seconds, inside=None):
    """How long it took, and what came out."""
    began = now()
    try:
        with sweep.within(seconds):
            await (inside or asyncio.sleep)(1000)
    except TimeoutError:
        return now() - began, "limit"
    except asyncio.CancelledError:
        return now() - began, "cancel"
    return now() - began, "end"


class CountingLoop:
    """What a `Sweep` needs of a loop, with a count of its timers."""

    def __init__(self):
        self.loop, self.timers, self.made = asyncio.get_running_loop(), set(), 0

    def time(self):
        return self.loop.time()

    def call_at(self, when, callback, *args):
        def fire():
            self.timers.discard(timer)
            callback(*args)

        timer = self.loop.call_at(when, fire)
        self.made += 1
        self.timers.add(timer)
        return timer

    @property
    def pending(self):
        return [timer for timer in self.timers if not timer.cancelled()]


def test_each_limit_ends_its_own_task_at_its_time(run):
    """A thousand different limits in any order: each is held to the microsecond."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())
        limits = [0.5 + (n * 37 % 1000) / 100 for n in range(1000)]
        ends = await asyncio.gather(*(until_limit(sweep, limit) for limit in limits))
        sweep.close()
        return [(end, limit) for end, limit in zip(ends, limits, strict=True)]

    for (took_s, how), limit_s in run(main()):
        assert how == "limit"
        assert took_s == pytest.approx(limit_s, abs=1e-6)


def test_an_earlier_limit_comes_first(run):
    """A later limit that is shorter is not held up by an earlier one that is longer."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())
        long = asyncio.create_task(until_limit(sweep, 9))
        await asyncio.sleep(1)
        short = await until_limit(sweep, 0.25)
        assert not long.done()
        return short, await long

    assert run(main()) == ((0.25, "limit"), (9, "limit"))


def test_there_is_one_timer_at_any_time(run):
    """Two thousand short attempts, one after another, cost a handful of timers."""

    async def main():
        loop = CountingLoop()
        sweep = Sweep(loop)
        for _ in range(2000):
            with sweep.within(10):
                await asyncio.sleep(0.01)
            assert len(loop.pending) == 1
        assert loop.made <= 4  # 20 seconds, 10 a limit
        sweep.close()
        assert loop.pending == []

    run(main())


def test_a_timer_that_fires_early_ends_its_limit(run):
    """A loop may fire up to its clock's resolution early: no busy wait for the rest."""

    class EarlyLoop(CountingLoop):
        def call_at(self, when, callback, *args):
            return super().call_at(when - 0.01, callback, *args)

    async def main():
        loop = EarlyLoop()
        assert await until_limit(Sweep(loop), 1) == (pytest.approx(0.99), "limit")
        assert loop.made == 1

    run(main())


def test_a_limit_that_was_met_leaves_nothing(run):
    """A timer that fires with nobody in flight is not set again."""

    async def main():
        loop = CountingLoop()
        sweep = Sweep(loop)
        with sweep.within(1):
            pass
        await asyncio.sleep(2)
        assert (loop.made, loop.pending) == (1, [])
        assert await until_limit(sweep, 3) == (3, "limit")

    run(main())


def test_what_raises_on_its_own_goes_through(run):
    """An error from inside is not touched by a limit."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())
        with pytest.raises(KeyError), sweep.within(1):
            raise KeyError

    run(main())


@pytest.mark.parametrize("limit_first", [True, False])
def test_a_foreign_cancel_in_the_same_turn_goes_through(run, limit_first):
    """A limit never eats a cancel that came from elsewhere."""

    async def main():
        scope = Scope(TimeoutError)

        async def inside():
            with scope:
                await asyncio.sleep(10)

        task = asyncio.create_task(inside())
        await asyncio.sleep(1)
        for cancel in (scope.cancel, task.cancel) if limit_first else (task.cancel, scope.cancel):
            cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return task.cancelling()

    assert run(main()) == 1


def test_a_cancel_after_the_limit_goes_through(run):
    """The task can still be cancelled once its limit has been handled."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())

        async def inside():
            assert await until_limit(sweep, 1) == (1, "limit")
            assert asyncio.current_task().cancelling() == 0
            await asyncio.sleep(10)

        task = asyncio.create_task(inside())
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_a_limit_twice_is_one_cancel(run):
    """Ending a scope twice leaves no second cancel behind."""

    async def main():
        scope = Scope(TimeoutError)

        async def inside():
            with pytest.raises(TimeoutError), scope:
                await asyncio.sleep(10)
            return asyncio.current_task().cancelling()

        task = asyncio.create_task(inside())
        await asyncio.sleep(1)
        scope.cancel()
        scope.cancel()
        assert await task == 0

    run(main())


async def nested(sweep, outer_s, inner_s):
    async with asyncio.timeout(outer_s):
        with sweep.within(inner_s):
            await asyncio.sleep(100)


@pytest.mark.parametrize(("inner_s", "outer_s"), [(1, 2), (2, 1), (1, 1)])
def test_limits_nest_with_asyncios_own(run, inner_s, outer_s):
    """Around and inside `asyncio.timeout`, the one that is due ends its own block."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())

        async def inner(_):
            async with asyncio.timeout(inner_s):
                await asyncio.sleep(100)

        ended = await until_limit(sweep, outer_s, inner)
        assert ended == (min(inner_s, outer_s), "limit")
        began = now()
        with pytest.raises(TimeoutError):
            await nested(sweep, outer_s, inner_s)
        assert now() - began == min(inner_s, outer_s)
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_nested_limits_end_from_the_inside(run):
    """Two limits of one task, due at once: both are told, one after another."""

    async def main():
        sweep, order = Sweep(asyncio.get_running_loop()), []
        try:
            with sweep.within(1):
                try:
                    with sweep.within(1):
                        await asyncio.sleep(10)
                except TimeoutError:
                    order.append("inner")
                    raise
        except TimeoutError:
            order.append("outer")
        return order[-1], asyncio.current_task().cancelling()

    assert run(main()) == ("outer", 0)


def test_what_swallows_the_cancel_keeps_its_result(run):
    """A block that ends by itself although it was told to end is not an error."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())

        async def stubborn(_):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                return

        assert await until_limit(sweep, 1, stubborn) == (1, "end")
        return asyncio.current_task().cancelling()

    assert run(main()) == 0


def test_closing_ends_all_and_stops_the_timer(run):
    """Whatever is in flight at the end is ended at once."""

    async def main():
        loop = CountingLoop()
        sweep = Sweep(loop)
        tasks = [asyncio.create_task(until_limit(sweep, 5)) for _ in range(3)]
        await asyncio.sleep(1)
        sweep.close()
        sweep.close()
        assert await asyncio.gather(*tasks) == [(1, "limit")] * 3
        return loop.pending

    assert run(main()) == []


def test_a_limit_needs_a_task():
    """Without a task there is nothing to end, and that is said."""
    loop = async_solipsism.EventLoop()
    try:
        with pytest.raises(RuntimeError, match="needs a task"):
            enter_outside_of_a_task(Sweep(loop), loop)
    finally:
        loop.close()


def enter_outside_of_a_task(sweep, loop):
    caught = []

    def callback():
        try:
            with sweep.within(1):
                pass
        except RuntimeError as error:
            caught.append(error)
        loop.stop()

    loop.call_soon(callback)
    loop.run_forever()
    raise caught[0]


def test_a_limit_at_a_moment_ends_there(run):
    """However late it is entered; one at a moment that has passed ends at once."""

    async def main():
        sweep = Sweep(asyncio.get_running_loop())
        ended = []
        for when in (5.0, 7.0, 6.0):
            try:
                with sweep.until(when):
                    await asyncio.sleep(1000)
            except TimeoutError:
                ended.append(now())
        sweep.close()
        return ended

    assert run(main()) == [pytest.approx(s, abs=1e-5) for s in (5, 7, 7)]


def test_without_a_moment_there_is_no_limit_and_no_timer(run):
    """None costs nothing, and closing the sweep does not end what has no limit."""

    async def main():
        loop = CountingLoop()
        sweep = Sweep(loop)
        with sweep.until(None):
            await asyncio.sleep(1000)
            sweep.close()
            await asyncio.sleep(1)
        return loop.made, now()

    assert run(main()) == (0, pytest.approx(1001))
