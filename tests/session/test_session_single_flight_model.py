"""Single flight against random schedules: whatever comes together, the rules hold.

Callers come, leave and run out of time while replies are slow, fail or are throttled.
"""

import asyncio
import random
from collections import Counter

import pytest

from altcraft_balance.errors import AltcraftBalanceError, ClientClosed, DeadlineExceeded
from tests.session.fakes import (
    Slow,
    Wire,
    broken,
    http,
    make_client,
    member,
    now,
    ok,
    throttled,
    virtual_loop,
)

pytestmark = pytest.mark.no_cover  # it would take four times as long

MEMBERS, CALLS = 3, 40
DEADLINES_S = (None, 0.3, 1, 3, 30)
OURS = {"deadline_exceeded", "circuit_open", "http_status", "connection_failed"}


class Schedule:
    """One random run; `ends` says how its calls ended, by kind."""

    def __init__(self, seed):
        self.rng, self.wire, self.ends = random.Random(seed), Wire(), Counter()
        self.wire.answer = self.answer
        self.out, self.most_out, self.cancels = Counter(), 0, 0
        self.seen = []

    def answer(self, sent):
        """A balance that says which request it answers, or some trouble, after a while."""
        good = ok(total=str(sent.number), active="0")
        troubles = (http(500), broken(), broken(reused=True), throttled(1))
        reply = self.rng.choice(troubles) if self.rng.random() < 0.3 else good
        return Slow(self.rng.choice((0, 0.2, self.rng.uniform(0, 2))), reply)

    async def send(self, body, headers, **options):
        """Counts what is on the wire for each member."""
        email = body.decode().split("member-")[1].split("@")[0]
        self.out[email] += 1
        self.most_out = max(self.most_out, self.out[email])
        try:
            return await Wire.send(self.wire, body, headers, **options)
        finally:
            self.out[email] -= 1

    async def call(self, client):
        await asyncio.sleep(self.rng.choice((0, 0.5, self.rng.uniform(0, 5))))
        deadline_s, began = self.rng.choice(DEADLINES_S), now()
        number = self.rng.randrange(MEMBERS)
        try:
            balance = await client.get_balance(member(number), deadline_s=deadline_s)
        except AltcraftBalanceError as error:
            self.told(error, now() - began, deadline_s)
        else:
            self.ends["found"] += 1
            request = self.wire.sent[int(balance.total_balance)]
            assert request.at >= began, "an answer from before the question"
            assert request.email == member(number).email
        assert deadline_s is None or now() <= began + deadline_s + 0.001

    def told(self, error, elapsed_s, deadline_s):
        self.ends[error.kind] += 1
        self.seen.append(error)
        assert error.elapsed_s == pytest.approx(elapsed_s)
        assert deadline_s is not None or not isinstance(error, DeadlineExceeded)

    async def cancel(self, calls):
        await asyncio.sleep(self.rng.uniform(0, 5))
        call = self.rng.choice(calls)
        self.cancels += call.cancel()

    async def run(self, closes):
        self.wire.send = self.send
        client = make_client(self.wire, single_flight=True, concurrency=self.rng.randint(1, 4))
        await client.open()
        calls = [asyncio.create_task(self.call(client)) for _ in range(CALLS)]
        cancels = [asyncio.create_task(self.cancel(calls)) for _ in range(CALLS // 4)]
        if closes:
            await asyncio.sleep(self.rng.uniform(0, 5))
            await client.aclose(grace_s=self.rng.choice((0, 1)))
        for end in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(end, Exception):
                raise end
        await asyncio.gather(*cancels)
        await client.aclose()
        await asyncio.sleep(0.001)
        self.check(client)

    def check(self, client):
        stats = client.stats()
        ended = stats.found + sum(stats.failed.values()) + stats.cancelled
        assert stats.lookups == ended
        assert (stats.in_progress, stats.slots_in_use, self.wire.out) == (0, 0, 0)
        assert not client._session.flights._flights
        assert not client._session.brake._waiting
        assert not client._session.limits._limits
        assert len(asyncio.all_tasks()) == 1
        assert len({id(error) for error in self.seen}) == len(self.seen)
        # When the last caller leaves, the next one's request meets the one that is being cancelled.
        assert self.most_out <= (2 if self.cancels or self.ends["deadline_exceeded"] else 1)


@pytest.mark.parametrize("closes", [False, True])
def test_the_rules_hold_in_any_order(closes, caplog):
    """No old answer, no second request, no deadline missed, nothing left, in 150 schedules."""
    ends = Counter()
    for seed in range(150):
        schedule = Schedule(seed)
        with asyncio.Runner(loop_factory=virtual_loop) as runner:
            runner.run(schedule.run(closes))
        ends += schedule.ends
    assert ends["found"] > 500
    assert ends.keys() <= OURS | {"found", "rate_limited", ClientClosed.kind}
    assert (ends[ClientClosed.kind] > 0) == closes
    assert not caplog.records
