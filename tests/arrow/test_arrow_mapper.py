"""`balance_mapper`: batches in, batches out, each row answered once and in its place."""

import pickle
import time
from decimal import Decimal

import pytest

from altcraft_balance.arrow import balance_mapper
from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import AuthenticationError, BadRequest, ConfigurationError
from altcraft_balance.models import ByEmail, CurrencyEid
from altcraft_balance.secret import Secret
from altcraft_balance.settings import Limits, RetryPolicy

arrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
PROGRAM = 123


@pytest.fixture
def server(serve):
    """A sandbox in a thread of its own."""
    return serve()


@pytest.fixture(autouse=True)
def token(monkeypatch):
    """In the environment, as workers have it."""
    monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")


def settings(server, **told):
    told = {"token": Secret.from_env("ALTCRAFT_TOKEN"), "loyalty_program_id": PROGRAM} | told
    return BalanceClient(server.url, **told).settings


def batch(first, last):
    rows = range(first, last)
    columns = {"id": list(rows), "email": [f"m{n}@example.com" for n in rows]}
    return arrow.RecordBatch.from_pydict(columns)


def table(mapper, batches):
    return arrow.Table.from_batches(mapper(batches), mapper.schema)


def test_each_row_is_answered_in_its_place(server):
    """Over many batches, with types that go through."""
    mapper = balance_mapper(settings(server), by="email", keep={"id": arrow.int64()})
    batches = [batch(start, start + 50) for start in range(0, 1_000, 50)]
    found = table(mapper, batches)
    assert found.schema == mapper.schema
    assert found.column("id").to_pylist() == list(range(1_000))
    assert set(found.column("status").to_pylist()) == {"found"}
    for row in found.slice(0, 20).to_pylist():
        truth = server.balance_of(ByEmail(row["member"]), loyalty_program_id=PROGRAM)
        assert row["total_balance"] == truth.total_balance
        assert row["active_balance"] == truth.active_balance
    assert server.requests == 1_000


def test_the_mapper_travels_without_the_token(server):
    """It pickles, with the name of the variable alone."""
    mapper = balance_mapper(settings(server), column="email", keep=["id"])
    there = pickle.dumps(mapper)
    assert b"sandbox-token" not in there
    found = table(pickle.loads(there), [batch(0, 3)])
    assert found.column("id").to_pylist() == ["0", "1", "2"]


def test_a_token_by_value_does_not_travel(server):
    """And says what to do."""
    mapper = balance_mapper(settings(server, token="sandbox-token"))
    with pytest.raises(TypeError, match="from_env"):
        pickle.dumps(mapper)
    assert table(mapper, [batch(0, 1)]).num_rows == 1


def test_bad_rows_and_failures_are_rows(server):
    """And members who are unknown; the good ones stay good."""
    told = settings(server, retry=RetryPolicy(max_attempts=1), not_a_member={404})
    server.remove(ByEmail("m1@example.com"))
    server.answer(ByEmail("m2@example.com"), status=500, body=b"oops")
    given = arrow.RecordBatch.from_pydict(
        {"email": ["m0@example.com", "m1@example.com", "m2@example.com", "nobody", None]}
    )
    found = table(balance_mapper(told), [given])
    assert found.column("status").to_pylist() == [
        "found", "not_a_member", "failed", "bad_input", "bad_input",
    ]  # fmt: skip
    assert found.column("member").to_pylist()[3:] == ["nobody", None]
    assert found.column("total_balance").to_pylist()[1:] == [None] * 4


def test_an_error_ends_it_when_asked(server):
    """A member who is unknown is no error."""
    server.answer(ByEmail("m7@example.com"), status=200, body=b'{"error":400,"error_text":"no"}')
    with pytest.raises(BadRequest):
        table(balance_mapper(settings(server), on_error="raise"), [batch(0, 20)])


def test_a_fatal_answer_costs_one_request(server):
    """Whatever is tried again, by whoever runs it, asks but once each time."""
    told = settings(server, token="wrong")
    for _ in range(4):
        with pytest.raises(AuthenticationError):
            table(balance_mapper(told), [batch(0, 500)] * 3)
    assert server.requests == 4


def test_several_currencies_are_several_rows(server):
    """Kept columns stand in each."""
    eur, usd = CurrencyEid("EUR"), CurrencyEid("USD")
    mapper = balance_mapper(settings(server), currencies=[eur, usd], keep={"id": arrow.int64()})
    found = table(mapper, [batch(0, 3)])
    assert found.column("id").to_pylist() == [0, 0, 1, 1, 2, 2]
    assert found.column("currency").to_pylist() == ["EUR", "USD"] * 3


def test_no_slow_reply_holds_the_others_up(server):
    """Other batches go on while one waits; nothing is read beyond the window."""
    read = []

    def batches():
        for start in range(0, 400, 20):
            read.append(start)
            yield batch(start, start + 20)

    mapper = balance_mapper(settings(server), window_batches=4, concurrency=8)
    came = mapper(batches())
    next(came)
    assert len(read) <= 6
    assert sum(part.num_rows for part in came) == 380


def test_who_leaves_early_leaves_nothing_behind(server):
    """No thread, no connection, no lookup."""
    came = balance_mapper(settings(server, limits=Limits(concurrency=4)))([batch(0, 5_000)] * 2)
    first = iter(came)
    came.close()
    del first
    assert server.requests < 5_000


def test_a_large_batch_comes_in_pieces(server):
    """Since what is looked up is held in memory."""
    came = list(balance_mapper(settings(server, transport="aiohttp"))([batch(0, 10_500)]))
    assert [part.num_rows for part in came] == [10_000, 500]


def test_an_amount_that_does_not_fit_is_no_other_amount(server):
    """It is a row that says so."""
    for member, amount in (("m0@example.com", "0.123"), ("m1@example.com", "0.12")):
        server.set_balance(ByEmail(member), total_balance=amount, active_balance="0.10")
    found = table(balance_mapper(settings(server), amount_scale=2), [batch(0, 2)]).to_pylist()
    assert found[0]["error_kind"] == "amount_does_not_fit"
    assert found[0]["total_balance"] is None
    assert found[1]["total_balance"] == Decimal("0.12")


def test_what_is_not_there_is_named(server):
    """In a batch, and in what is asked for."""
    with pytest.raises(ConfigurationError, match="must have the column 'email': it has id"):
        table(balance_mapper(settings(server)), [batch(0, 1).select(["id"])])
    with pytest.raises(ConfigurationError, match="keep"):
        balance_mapper(settings(server), keep="id")
    with pytest.raises(ConfigurationError, match="cannot be kept as int64: it is string"):
        table(balance_mapper(settings(server), keep={"email": arrow.int64()}), [batch(0, 1)])


def test_no_rows_are_a_batch_with_columns(server):
    """Of no batch, none."""
    mapper = balance_mapper(settings(server))
    assert table(mapper, [batch(0, 0)]).num_rows == 0
    assert list(mapper([])) == []


@pytest.mark.alone
@pytest.mark.slow
def test_slow_replies_cost_little(serve, size):
    """Of 1 % that take a second: within 15 % of the rows a second without them, at an agreed rate.

    The last second is left out, in which only slow ones are waited for.
    """
    rows, rate = size(2_000, 20_000, quick=1_500), 500
    took_s = []
    for share in (0.0, 0.01):
        slow = {"slow_s": 1.0, "faults": {"latency": share}}
        told = settings(serve(latency_s=0.02, **slow), limits=Limits(rate_per_s=rate))
        began = time.monotonic()
        parts = balance_mapper(told)(batch(at, at + 250) for at in range(0, rows, 250))
        assert sum(part.num_rows for part in parts) == rows
        took_s.append(time.monotonic() - began)
    assert 0.85 * (took_s[1] - 1.0) < took_s[0], took_s
