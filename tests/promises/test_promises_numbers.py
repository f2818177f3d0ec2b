"""Row 16: numbers are exact or refused, in JSON and in XML alike.

The edges of machine numbers (2^53, 2^63, 2^64), thirty digits, long decimals and exponents, as
JSON numbers, JSON texts and XML; keys that stand twice, booleans, NaN, nulls, lists, the digits of
other scripts. Never a float's neighbour of what was sent.
"""

from tests.promises.child import in_child


def test_a_number_is_exact_or_refused(promise, size):
    """The very `Decimal` that was sent, places included, or an error that says it is final."""
    stated = promise(16, "numbers are exact or refused")
    came = in_child("numbers", cases=size(20_000, 1_000_000, quick=2_000), limit_s=3600)
    stated.came(
        tried=came["tried"],
        failed=len(came["wrong"]),
        figure=f"in {len(came['places'])} places, JSON and XML",
        why="\n".join(came["wrong"][:20]),
    )
    assert min(came["places"].values()) > came["tried"] / 20
