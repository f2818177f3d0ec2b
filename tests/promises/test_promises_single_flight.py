"""Row 1b: never an answer from before the question.

A member's points change while identical lookups overlap. Whoever shares whose request, with
failures, repeats and callers that leave, each sees at least the points that there were when it
asked.
"""

from tests.promises.child import in_child


def test_an_answer_is_never_older_than_its_question(promise, size):
    """Of 2,000 calls that began while an identical one was under way, none gets an old answer."""
    stated = promise("1b", "never an answer from before the question")
    calls = size(2_000, 100_000, quick=300)
    came = in_child("overlaps", calls=calls, limit_s=3600)
    stated.came(
        tried=came["overlapped"],
        failed=came["old"] + came["wrong"],
        figure=f"{came['joined']:,} joined another's request, {came['left']:,} left",
        why=came,
    )
    assert came["joined"] > calls / 4
    assert came["left"] > calls / 50
