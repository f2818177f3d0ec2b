"""A stream as a plain iterator: its source is read here, lazily, and it ends as streams do."""

import asyncio
import gc
import itertools
import os
import sqlite3
import threading
from contextlib import suppress

import pytest

from altcraft_balance.errors import AuthenticationError, ClientClosed, InvalidQuery
from altcraft_balance.models import ByEmail, Failed, Found
from altcraft_balance.settings import Limits

NARROW = Limits(concurrency=4, adaptive=False)


def members(count=None):
    numbers = itertools.count() if count is None else range(count)
    return (f"m{number}@example.com" for number in numbers)


def idle(client):
    """Whether nothing is under way, once the loop has come round."""
    for _ in range(100):
        client.get_balances([])
        if client.stats().in_progress == 0:
            return True
    return False


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1_000])
def test_each_member_has_one_outcome(client, sandbox, count):
    """With its own balance, its index and its tag."""
    outcomes = list(client.stream_balances(members(count), by=ByEmail))
    assert sorted(outcome.index for outcome in outcomes) == list(range(count))
    for outcome in outcomes:
        truth = sandbox.balance_of(outcome.query, loyalty_program_id=123)
        assert outcome.balance.total_balance == truth.total_balance
        assert outcome.query.tag == f"m{outcome.index}@example.com"


def test_the_order_can_be_the_sources(client):
    """Whoever wants it asks for it."""
    outcomes = client.stream_balances(members(300), by=ByEmail, ordered=True)
    assert [outcome.index for outcome in outcomes] == list(range(300))


def test_the_source_is_read_in_the_readers_thread(client):
    """A cursor of SQLite allows no other, and neither does a Django connection."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE members (email TEXT)")
    database.executemany("INSERT INTO members VALUES (?)", ([email] for email in members(200)))
    rows = database.execute("SELECT email FROM members")
    outcomes = list(client.stream_balances((email for (email,) in rows), by=ByEmail))
    database.close()
    assert len(outcomes) == 200
    assert all(isinstance(outcome, Found) for outcome in outcomes)


def test_the_source_is_read_no_further_than_needed(make):
    """An endless one may stand there."""
    taken = []

    def source():
        for email in members():
            taken.append(email)
            yield email

    with make(limits=NARROW) as client:
        with client.stream_balances(source(), by=ByEmail) as outcomes:
            read = list(itertools.islice(outcomes, 500))
        assert len(read) == 500
        assert len(taken) < 500 + 400
        assert idle(client)


def test_a_slow_reader_stops_the_stream(make):
    """What is unread is bounded, however long nobody reads."""
    with make(limits=NARROW) as client, client.stream_balances(members(), by=ByEmail) as outcomes:
        next(outcomes)
        handover = outcomes._handover
        for _ in range(2_000):
            client.get_balances([])  # the loop comes round
        assert handover.queue.qsize() <= 256
        assert client.stats().requests < 600


def test_what_is_left_by_break_ends(make, serve):
    """Without `with`, as soon as nobody has the iterator."""
    with make(serve(latency_s=0.01), limits=NARROW) as client:
        for _ in client.stream_balances(members(), by=ByEmail):
            break
        gc.collect()
        assert idle(client)


def test_a_fatal_answer_ends_it(make):
    """After the outcomes of what was under way; with the queries that were never sent."""
    outcomes = []
    with make(token="another", limits=NARROW) as client:
        stream = client.stream_balances(members(), by=ByEmail)
        with pytest.raises(AuthenticationError) as caught:
            outcomes.extend(iter(lambda: next(stream), None))
        assert list(stream) == []
    assert outcomes
    assert all(isinstance(outcome, Failed) for outcome in outcomes)
    assert caught.value.unsent == stream.unsent


def test_what_the_source_raises_comes_out(client):
    """What it gave before has an outcome each, or was never sent."""

    def source():
        yield from members(10)
        raise LookupError("the cursor is gone")

    stream, outcomes = client.stream_balances(source(), by=ByEmail), []
    with pytest.raises(LookupError, match="the cursor is gone") as caught:
        outcomes.extend(iter(lambda: next(stream), None))
    assert len(outcomes) + len(caught.value.unsent) == 10


def test_a_client_that_is_closed_meanwhile_ends_it(make):
    """From another thread."""
    client = make(limits=NARROW)
    client.open()
    stream = client.stream_balances(members(), by=ByEmail)
    next(stream)
    closer = threading.Thread(target=client.close)
    closer.start()
    with pytest.raises(ClientClosed):
        list(stream)
    closer.join()


def test_a_bad_value_is_a_failed_outcome(client):
    """And not the end of the stream."""
    outcomes = list(client.stream_balances(["a@example.com", "\n", "b@example.com"], by=ByEmail))
    assert sum(isinstance(outcome, Found) for outcome in outcomes) == 2


@pytest.mark.parametrize("source", ["a@example.com", ByEmail("a@example.com"), 3])
def test_what_is_no_source_is_refused(client, source):
    """At once."""
    with pytest.raises(InvalidQuery):
        client.stream_balances(source, by=ByEmail)


def test_an_async_source_is_refused(client):
    """A loop is what this client has not."""

    async def source():
        yield "a@example.com"
        await asyncio.sleep(0)

    with pytest.raises(InvalidQuery, match="async source needs an async client"):
        client.stream_balances(source(), by=ByEmail)


def test_what_is_left_when_the_client_closes_ends_with_a_sentence(make):
    """Whoever reads on gets what had come, and then that."""
    client = make()
    client.open()
    outcomes = client.stream_balances((f"m{n}@example.com" for n in itertools.count()), by=ByEmail)
    assert next(outcomes).index is not None
    client.close(grace_s=0)
    with pytest.raises(ClientClosed):
        for _ in outcomes:
            pass
    outcomes.close()


def test_ctrl_c_while_the_source_is_read_loses_nothing(client):
    """It may be read on."""

    class Source:
        def __init__(self):
            self.given = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.given += 1
            if self.given == 30:
                raise KeyboardInterrupt
            if self.given > 100:
                raise StopIteration
            return f"m{self.given}@example.com"

    outcomes, seen = client.stream_balances(Source(), by=ByEmail), []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(outcomes)
    seen.extend(outcomes)
    assert len(seen) == 99


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_stream_is_not_read_on_in_a_forks_child(client):
    """It says so; the parent reads on."""
    outcomes = client.stream_balances([f"m{n}@example.com" for n in range(200)], by=ByEmail)
    next(outcomes)
    child = os.fork()
    if not child:
        code = 1
        with suppress(ClientClosed):
            next(outcomes)
            code = 2
        os._exit(0 if code == 1 else code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sum(1 for _ in outcomes) == 199
