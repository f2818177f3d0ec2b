"""Ask many times at once and count: what was right, how long each took, what failed."""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from benchmarks.side.answer import Target, members

#: So many lookups' times are kept: memory must not grow with the lookups.
KEPT = 20_000
WARM_PER_SLOT = 2


class Watch:
    """What came of the lookups of one run.

    Attributes:
        checked: right answers.
        failed: lookups without one.
        trouble: what the first of those raised.
        took: seconds, of the latest lookups.
    """

    def __init__(self) -> None:
        self.checked = self.failed = 0
        self.trouble = ""
        self.took: deque[float] = deque(maxlen=KEPT)

    def fail(self, error: BaseException) -> None:
        """Count a lookup that has no right answer."""
        self.failed += 1
        self.trouble = self.trouble or f"{type(error).__name__}: {error}"[:200]


class Peer:
    """A client in the table; a subclass says how it is opened, and how it asks once.

    Attributes:
        title: how the row is called.
        packages: the distributions whose versions are printed.
        note: a footnote to the row.
        ours: whether it is this package.
    """

    title = ""
    packages: tuple[str, ...] = ()
    note = ""
    ours = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.is_json = target.format == "json"

    @classmethod
    def look(cls) -> None:
        """Whether this client is there, with all that it needs.

        Raises:
            ImportError, ValueError: it is not, and why.
        """

    async def open(self) -> None:
        """Get ready, on the running loop."""

    async def close(self) -> None:
        """Close every connection."""

    def prepare(self, asked: Iterable[str]) -> Iterable[Any]:
        """What is made of the members before the clock starts: usually nothing."""
        return asked

    async def ask(self, thing: Any) -> int:
        """One lookup: 1, which is what `answer.right` gives for a checked answer."""
        raise NotImplementedError

    async def run(self, things: Iterable[Any], watch: Watch) -> None:
        """All of them, as many at once as the target says."""
        await workers(self.ask, things, self.target.at, watch)


async def watched(ask: Callable[[Any], Awaitable[int]], thing: Any, watch: Watch) -> None:
    """One lookup, counted."""
    began = time.perf_counter()
    try:
        done = await ask(thing)
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is a lookup that failed
        watch.fail(error)
    else:
        watch.checked += done
    watch.took.append(time.perf_counter() - began)


async def workers(
    ask: Callable[[Any], Awaitable[int]], things: Iterable[Any], at: int, watch: Watch
) -> None:
    """So many tasks that take from one source: the cheapest way, so every peer gets it.

    The body of `watched` stands here again: a coroutine less in each lookup.
    """
    source, clock, took = iter(things), time.perf_counter, watch.took.append

    async def work() -> None:
        for thing in source:
            began = clock()
            try:
                done = await ask(thing)
            except Exception as error:  # noqa: BLE001 - as in `watched`
                watch.fail(error)
            else:
                watch.checked += done
            took(clock() - began)

    await asyncio.gather(*(work() for _ in range(at)))


async def gathered(
    ask: Callable[[Any], Awaitable[int]], things: Iterable[Any], at: int, watch: Watch
) -> None:
    """A task for every lookup and a semaphore: as most people write it."""
    slots = asyncio.Semaphore(at)

    async def one(thing: Any) -> None:
        async with slots:
            await watched(ask, thing, watch)

    await asyncio.gather(*(one(thing) for thing in things))


async def measure(
    kind: type[Peer], target: Target, lookups: int, first: int = 0, *, lazy: bool = False
) -> dict[str, Any]:
    """Open, warm up, ask `lookups` times, close; what that took, without the opening.

    CPU is the whole process's: a peer may have threads of its own. The warm-up opens all the
    connections. `lazy` makes members as they are taken.
    """
    client = kind(target)
    await client.open()
    try:
        warmed, made = Watch(), _as_they_go if lazy else members
        warm = made(0, max(WARM_PER_SLOT * target.at, lookups // 10))
        await client.run(client.prepare(warm), warmed)
        return await _timed(client, client.prepare(made(first, lookups)), lookups, warmed)
    finally:
        await client.close()


def _as_they_go(first: int, count: int) -> Iterator[str]:
    return (name for number in range(first, first + count) for name in members(number, 1))


async def _timed(
    client: Peer, things: Iterable[Any], lookups: int, warmed: Watch
) -> dict[str, Any]:
    watch = Watch()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await client.run(things, watch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    took = sorted(watch.took)
    return {
        "lookups": lookups,
        "checked": watch.checked,
        "failed": watch.failed + warmed.failed,
        "trouble": watch.trouble or warmed.trouble,
        "cpu_us": cpu / lookups * 1e6,
        "per_s": lookups / wall,
        "p50_ms": took[len(took) // 2] * 1e3 if took else 0.0,
        "p99_ms": took[len(took) * 99 // 100] * 1e3 if took else 0.0,
    }
