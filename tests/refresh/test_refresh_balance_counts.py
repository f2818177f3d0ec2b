"""Balances by size: exact, bounded, whole through restarts, and never of two currencies."""

import json
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.refresh.rows.balance_counts import BOUNDS, BalanceCounts
from tests.refresh.summaries import begun, failed, found


def counted(*answers, again=False):
    counts = BalanceCounts()
    for answer in answers:
        counts.add(answer)
        if again:
            counts = BalanceCounts(json.loads(json.dumps(counts.as_dict())))
    return counts.shown()


def total_of(*amounts, again=False):
    (pair,) = counted(*map(found, amounts), again=again)["currencies"]
    return pair["total"]


def test_amounts_lie_between_their_bounds():
    """A bound belongs to what is above it; nothing is neither above nor below."""
    amounts = ["-0.01", "-5", "0", "-0.00", "0.001", "0.99", "1", "1.99", "2", "9.99", "10", "100",
               "999999999.99", "1000000000", "9" * 60]  # fmt: skip
    assert total_of(*amounts) == {
        "sum": "1000000000000000000000000000000000000000000000000002000000119.951",
        "min": "-5",
        "max": "9" * 60,
        "counts": {
            "<0": 2, "0": 2, "<1": 2, "<2": 2, "<5": 1, "<10": 1, "<20": 1, "<200": 1,
            "<1000000000": 1, ">=1000000000": 2,
        },
    }  # fmt: skip
    assert list(total_of("3", "0", "-1")["counts"]) == ["<0", "0", "<5"]


AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=6).filter(
    lambda amount: abs(amount) < 10**40
)


@given(st.lists(AMOUNTS, min_size=1, max_size=20), st.booleans())
def test_it_is_what_plain_arithmetic_says(amounts, again):
    """Sum, least, greatest and counts, in one process or in as many as there are amounts."""
    texts = [format(amount, "f") for amount in amounts]
    total = total_of(*texts, again=again)
    assert Fraction(total["sum"]) == sum(map(Fraction, texts))
    assert (Decimal(total["min"]), Decimal(total["max"])) == (min(amounts), max(amounts))
    assert total["counts"] == {
        name: count for name in BOUNDS if (count := sum(_is_in(name, a) for a in amounts))
    }


def _is_in(name, amount):
    place = BOUNDS.index(name)
    if place < 2:
        return amount < 0 if name == "<0" else amount == 0
    before = BOUNDS[place - 1]
    low = Decimal(before[1:]) if before != "0" else None
    is_above = amount > 0 if low is None else amount >= low
    return is_above and (name[0] == ">" or amount < Decimal(name[1:]))


def test_many_at_a_time_are_as_one_by_one():
    """What waits is counted before anybody looks."""
    texts = [f"{number}.{number % 10}" for number in range(1_234)]
    assert total_of(*texts) == total_of(*texts, again=True)


def test_currencies_are_never_added():
    """Each has its own counts; of the ninth and further ones there is only how many."""
    answers = [found(f"{number}", currency=f"c{number}") for number in range(12)]
    shown = counted(*answers, found("5", currency="c0"), found("1", currency=None))
    assert [pair["currency"] for pair in shown["currencies"]] == [f"c{n}" for n in range(8)]
    assert shown["currencies"][0]["total"]["sum"] == "5"
    assert shown["beyond"] == 5


def test_no_address_is_taken_for_a_currency():
    """Somebody may have given the wrong column."""
    answers = [found("1", currency=f"somebody{number}@example.com") for number in range(9)]
    shown = counted(*answers)
    assert [pair["currency"] for pair in shown["currencies"]] == ["***"]
    assert sum(shown["currencies"][0]["total"]["counts"].values()) == 9


def test_what_is_not_found_has_no_balance():
    """Counts are as many as rows that were found."""
    tally = begun()
    for answer in (found("7", "3"), failed("no"), found("0", "0")):
        tally.add([answer])
    (pair,) = tally.balances.shown()["currencies"]
    assert sum(pair["active"]["counts"].values()) == tally.statuses["found"] == 2
    assert (pair["total"]["sum"], pair["active"]["sum"]) == ("7", "3")
