"""A small batch as a list: one outcome for each input, in input order, whatever happens."""

import asyncio

import pytest

from altcraft_balance.errors import AccessDenied, AuthenticationError, ClientClosed, InvalidQuery
from altcraft_balance.models import BalanceQuery, ByEmail, Failed, Found
from tests.session.fakes import (
    Slow,
    api,
    assert_idle,
    broken,
    http,
    make_client,
    member,
    members,
    number_of,
    ok,
    opened,
    settle,
)


async def as_async(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


KINDS = pytest.mark.parametrize("make", [list, iter, as_async], ids=["list", "iterator", "async"])


@KINDS
@pytest.mark.parametrize("count", [0, 1, 2, 100])
async def test_each_input_has_its_outcome_in_its_place(wire, make, count):
    """From any iterable, in any order of answering."""
    wire.answer = lambda sent: Slow(1 / (1 + sent.number))
    async with opened(wire) as client:
        outcomes = await client.get_balances(make(members(count)))
    assert [outcome.index for outcome in outcomes] == list(range(count))
    assert [number_of(outcome.query) for outcome in outcomes] == list(range(count))
    assert all(isinstance(outcome, Found) for outcome in outcomes)


@KINDS
async def test_after_a_fatal_answer_the_rest_fail_with_it(wire, make):
    """Nothing more is sent; what was not sent says ``requests=0``."""
    wire.answer = lambda sent: Slow(1, api(403) if sent.number == 10 else ok())
    items = members(100)
    items[50] = "no matching"
    async with opened(wire, concurrency=4) as client:
        outcomes = await client.get_balances(make(items))
        sent = len(wire.sent)
        await asyncio.sleep(60)
        assert len(wire.sent) == sent
    assert [outcome.index for outcome in outcomes] == list(range(100))
    assert sum(outcome.requests for outcome in outcomes) == sent
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    invalid = [outcome for outcome in failed if isinstance(outcome.error, InvalidQuery)]
    assert [outcome.index for outcome in invalid] == [50]
    denied = [outcome for outcome in failed if isinstance(outcome.error, AccessDenied)]
    assert len(denied) == len(failed) - 1
    asked = [outcome for outcome in denied if outcome.requests]
    unasked = [outcome for outcome in denied if not outcome.requests]
    assert asked
    assert len({id(outcome.error) for outcome in unasked}) == 1
    # The errors tell of their own lookups: what was not sent was not attempted.
    assert all(outcome.error.attempts == outcome.attempts for outcome in denied)
    assert not any(outcome.error.maybe_sent for outcome in unasked)
    assert [outcome.requests for outcome in denied if outcome.requests] == [1]
    assert all(number_of(o.query) == o.index for o in outcomes if o.index != 50)


async def test_a_fatal_answer_to_the_first_leaves_no_input_out(wire):
    """A 401 to a batch of any size costs no more requests than there are slots."""
    wire.answer = lambda _: api(401)
    async with opened(wire, concurrency=3) as client:
        outcomes = await client.get_balances(members(1000))
    assert len(outcomes) == 1000
    assert {type(outcome.error) for outcome in outcomes} == {AuthenticationError}
    assert len(wire.sent) <= 3


async def test_values_and_by_go_through_the_list_as_through_the_stream(wire):
    """A bad value fails in its place."""
    values = ["a@b.c", "nobody", "d@e.f"]
    async with opened(wire) as client:
        outcomes = await client.get_balances(values, by=ByEmail)
    assert [type(outcome) for outcome in outcomes] == [Found, Failed, Found]
    assert outcomes[2].query == BalanceQuery(ByEmail("d@e.f"))


async def test_a_batch_that_is_cut_off_by_a_close_is_complete(wire):
    """What was not sent fails with `ClientClosed`."""
    wire.answer = lambda _: Slow(1)
    client = make_client(wire, concurrency=2)
    await client.open()
    batch = asyncio.create_task(client.get_balances(members(50)))
    await asyncio.sleep(1.5)
    await client.aclose()
    outcomes = await batch
    assert [type(outcome) for outcome in outcomes] == [Found] * 4 + [Failed] * 46
    assert {type(outcome.error) for outcome in outcomes[4:]} == {ClientClosed}
    assert {outcome.requests for outcome in outcomes[4:]} == {0}
    assert_idle(client)


async def test_a_close_while_the_inputs_are_read_fails_them_all(wire):
    """No outcome is missing then either."""
    client = make_client(wire)
    await client.open()

    async def slow():
        for item in members(5):
            await asyncio.sleep(1)
            yield item

    batch = asyncio.create_task(client.get_balances(slow()))
    await settle()
    await client.aclose()
    outcomes = await batch
    assert [type(outcome.error) for outcome in outcomes] == [ClientClosed] * 5


async def test_an_exception_of_the_inputs_comes_out_before_anything_is_sent(wire):
    """There is no list of which to give the outcomes."""

    def rows():
        yield member(0)
        raise KeyError("no column")

    async with opened(wire) as client:
        with pytest.raises(KeyError):
            await client.get_balances(rows())
    assert wire.sent == []


async def test_a_bug_below_comes_out_of_a_batch(wire):
    """A transport's bug is nobody's outcome."""
    wire.script.append(ZeroDivisionError())
    async with opened(wire) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get_balances(members(3))


async def test_a_cancelled_batch_leaves_nothing_behind(wire):
    """No task, no slot."""
    wire.hold()
    async with opened(wire) as client:
        before = asyncio.all_tasks()
        batch = asyncio.create_task(client.get_balances(members(50)))
        await settle()
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        assert asyncio.all_tasks() == before
        assert_idle(client)
        wire.release()


async def test_nothing_is_lost_and_nothing_doubled(wire):
    """Each input once, with its own answer, through resets, delays and 503s."""
    faults = {0: broken(), 1: Slow(60), 2: http(503), 3: broken(reused=True)}

    def answer(sent):
        number = sent.email.split("-")[1].split("@")[0]
        return faults.get(sent.number % 50, ok(total=number, active=number))

    wire.answer = answer
    async with opened(wire, concurrency=20) as client:
        outcomes = await client.get_balances(members(2000))
    assert [int(outcome.balance.total_balance) for outcome in outcomes] == list(range(2000))
    assert sum(outcome.requests for outcome in outcomes) == len(wire.sent)
