"""Single flight: who shares whose request, and what each caller is told."""

import asyncio
import pickle

import async_solipsism
import pytest

from altcraft_balance.errors import HttpStatusError
from altcraft_balance.models import BalanceQuery, CurrencyEid, RawMatching
from tests.session.fakes import (
    Slow,
    Wire,
    broken,
    http,
    member,
    ok,
    opened,
    settle,
    throttled,
    unreachable,
)

SOON = pytest.approx


def flying(wire, **settings):
    """An open client that shares requests; when it is left, no flight may be."""
    return opened(wire, single_flight=True, **settings)


def ask(client, query=None, **options):
    return asyncio.create_task(client.get_balance(query or member(0), **options))


def answers(wire):
    """Each request is answered with its own number."""
    wire.answer = lambda sent: ok(total=str(sent.number), active="0")


async def totals(*calls):
    return [int(balance.total_balance) for balance in await asyncio.gather(*calls)]


async def errors(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


# ── who joins ────────────────────────────────────────────────────────────────────────────────


async def test_a_thousand_callers_at_once_share_one_request(wire):
    """One request, one lookup, 999 that joined; then nothing is left."""
    async with flying(wire) as client:
        found = await totals(*(ask(client) for _ in range(1000)))
        assert (set(found), len(wire.sent)) == ({1000}, 1)
        stats = client.stats()
        assert (stats.lookups, stats.joined, stats.found) == (1, 999, 1)
        assert not client._session.flights._flights


async def test_those_who_come_after_the_request_has_left_share_the_next(wire):
    """The second request is sent when the first has come to its end, and not before."""
    answers(wire)
    wire.hold()
    async with flying(wire) as client:
        first = ask(client)
        await settle()
        later = [ask(client) for _ in range(10)]
        await settle()
        assert len(wire.sent) == 1
        assert client.stats().in_progress == 1
        wire.release()
        assert await totals(first, *later) == [0] + [1] * 10
        assert (len(wire.sent), wire.most_out) == (2, 1)


async def test_callers_join_while_the_request_waits_for_a_slot(wire):
    """A request that has not left is nobody's old answer."""
    answers(wire)
    wire.hold()
    async with flying(wire, concurrency=1) as client:
        other, first = ask(client, member(1)), ask(client)
        await settle()
        second = ask(client)
        await settle()
        wire.release()
        assert await totals(other, first, second) == [0, 1, 1]


@pytest.mark.parametrize("trouble", [http(500), broken(), throttled(1), unreachable()])
async def test_who_waits_for_the_next_joins_the_repeat(wire, trouble):
    """When the first attempt fails, all share its repeat: two requests for three callers."""
    answers(wire)
    wire.script.append(Slow(1, trouble))
    async with flying(wire) as client:
        first = ask(client)
        await asyncio.sleep(0.5)
        second = ask(client)
        await asyncio.sleep(0.51)
        third = ask(client)
        assert await totals(first, second, third) == [1, 1, 1]
        assert (client.stats().lookups, client.stats().joined) == (1, 2)


@pytest.mark.parametrize("script", [[broken(reused=True)], [http(401)]])
async def test_a_repeat_of_the_same_attempt_is_not_joined(wire, script):
    """After a free repeat or a new token, who came meanwhile waits for another request."""

    async def token():
        return f"token-{len(wire.sent)}"

    answers(wire)
    wire.script.extend([*(Slow(1, reply) for reply in script), Slow(1, ok(total="7", active="0"))])
    async with flying(wire, token=token) as client:
        first = ask(client)
        await asyncio.sleep(1.5)
        assert len(wire.sent) == 2
        second = ask(client)
        assert await totals(first, second) == [7, 2]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (BalanceQuery(member(0), tag=1), BalanceQuery(member(0), tag=2), True),
        (BalanceQuery(member(0)), member(0), True),
        (member(0), member(1), False),
        (member(0), BalanceQuery(member(0), loyalty_program_id=7), False),
        (member(0), BalanceQuery(member(0), currency=CurrencyEid("stars")), False),
        (BalanceQuery(member(0), extra={"x": 1}), BalanceQuery(member(0), extra={"x": 1}), True),
        (BalanceQuery(member(0), extra={"x": 1}), BalanceQuery(member(0), extra={"x": 2}), False),
        (
            BalanceQuery(member(0), extra={"x": 1}),
            BalanceQuery(member(0), extra={"x": True}),
            False,
        ),
        (
            RawMatching({"matching": "m", "email": "a@example.com", "x": 0}),
            RawMatching({"x": False, "matching": "m", "email": "a@example.com"}),
            False,
        ),
    ],
)
async def test_only_those_who_ask_the_same_share(wire, one, other, shared):
    """The tag is the caller's own; program, currency and every value's JSON type count."""
    async with flying(wire) as client:
        await asyncio.gather(ask(client, one), ask(client, other))
        assert len(wire.sent) == (1 if shared else 2)
        assert client.stats().joined == shared


async def test_batches_neither_lead_nor_join(wire):
    """Each item of a batch has its own request, beside a call's, and no call joins it."""
    wire.hold()
    async with flying(wire) as client:
        first = ask(client)
        await settle()
        batch = asyncio.create_task(client.get_balances([member(0), member(0)]))
        await settle()
        assert wire.out == 3
        wire.release()
        await first
        await batch
        wire.hold()
        batch = asyncio.create_task(client.get_balances([member(0)]))
        await settle()
        call = ask(client)
        await settle()
        assert (wire.out, client.stats().joined) == (2, 0)
        wire.release()
        await asyncio.gather(batch, call)


async def test_without_the_setting_nobody_shares(wire):
    """`single_flight` is off unless it is asked for."""
    async with opened(wire) as client:
        await asyncio.gather(ask(client), ask(client))
        assert (len(wire.sent), client.stats().joined) == (2, 0)


# ── what each is told ────────────────────────────────────────────────────────────────────────


async def test_each_has_its_own_copy_of_the_error(wire):
    """Own `elapsed_s`, also of the last error inside; what one does to it shows nowhere else."""
    wire.script.extend([Slow(1, http(500)), Slow(1, http(500)), *[http(500)] * 5])
    async with flying(wire, max_attempts=2) as client:
        first = ask(client)
        await asyncio.sleep(0.5)
        one, two = await errors(first, ask(client))
        assert [type(error) for error in (one, two)] == [HttpStatusError] * 2
        assert one is not two
        assert (one.elapsed_s, two.elapsed_s) == (SOON(2.1), SOON(1.6))
        assert one.attempts == two.attempts == 2
        one.retry_after_s = 99
        one.add_note("mine")
        assert two.retry_after_s is None
        assert not hasattr(two, "__notes__")
        assert pickle.loads(pickle.dumps(two)).__dict__ == two.__dict__


async def test_the_last_error_inside_is_a_copy_too(wire):
    """A deadline's `last_error` belongs to one caller as well."""
    wire.answer = lambda _: http(500)
    async with flying(wire) as client:
        one, two = await errors(ask(client, deadline_s=0.15), ask(client, deadline_s=0.15))
        assert one.last_error is not two.last_error
        assert one.last_error.__dict__ == two.last_error.__dict__


@pytest.mark.parametrize(
    ("script", "deadline_s"),
    [
        ([Slow(5)], 1),
        ([Slow(0.5, http(500)), Slow(5)], 1),
        ([http(500)] * 4, 0.25),
        ([throttled(60)], 1),
        ([http(404)], 1),
    ],
)
def test_a_lone_caller_is_told_what_it_is_told_without_sharing(script, deadline_s):
    """The same error with the same fields, whatever the time went to."""

    async def told(single_flight):
        wire = Wire()
        wire.script.extend(script)
        async with opened(wire, single_flight=single_flight) as client:
            (error,) = await errors(ask(client, deadline_s=deadline_s))
            assert client.stats().cancelled == 0
        fields = dict(error.__dict__)
        last = fields.pop("last_error", None)
        return type(error), str(error), fields, last and last.__dict__

    def run(main):
        with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
            return runner.run(main)

    assert run(told(True)) == run(told(False))
