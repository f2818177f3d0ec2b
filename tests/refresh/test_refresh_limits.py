"""When a run stops itself, and which part of a source it takes."""

import pytest

from altcraft_balance.errors import AttemptTimeout, BadRequest, ConfigurationError, NotAMember
from altcraft_balance.models import BalanceQuery, ByEmail, Failed
from altcraft_balance.refresh.port import SourceInfo
from altcraft_balance.refresh.rows.limits import FirstAnswers, MaxFailed
from altcraft_balance.refresh.rows.selection import FirstRows, Sample

QUERY = BalanceQuery(ByEmail("a@x.y"))


def failed(error):
    return Failed(query=QUERY, index=0, error=error)


@pytest.mark.parametrize(
    ("text", "failed", "done", "allowed"),
    [
        ("0", 0, 10, True),
        ("0", 1, 10, False),
        (5, 5, 10, True),
        ("5", 6, 10, False),
        ("0.5%", 5, 1000, True),
        ("0.5 %", 6, 1000, False),
        ("100%", 7, 7, True),
    ],
)
def test_a_count_or_a_share(text, failed, done, allowed):
    """A whole number counts rows, a number with % is a share of them."""
    assert MaxFailed.read(text).allows(failed, done) is allowed


@pytest.mark.parametrize("value", ["-1", "half", "1.5", "101%", True, None, "%"])
def test_what_is_neither_is_refused(value):
    """One sentence says what is accepted."""
    with pytest.raises(ConfigurationError, match="max_failed must be a number of rows, or a share"):
        MaxFailed.read(value)


@pytest.mark.parametrize(
    ("text", "failed", "done", "far"),
    [
        ("0", 1000, 1000, False),
        ("0", 1001, 1001, True),
        ("0", 1001, 200_000, False),
        ("0", 2001, 200_000, True),
        ("500", 5000, 5000, False),
        ("500", 5001, 5001, True),
        ("1%", 1_001, 1_001, True),
        ("1%", 2_000, 20_000, False),
    ],
)
def test_far_behind_is_a_thousand_and_a_hundredth_and_ten_times(text, failed, done, far):
    """All three must be passed, so that a few bad rows end no night."""
    assert MaxFailed.read(text).is_far_behind(failed, done) is far


def test_the_same_code_two_hundred_times():
    """At the 200th and no earlier; later it would be said again by nobody."""
    first, error = FirstAnswers(), BadRequest("m", code=400)
    assert [first.same_error(failed(error)) for _ in range(199)] == [None] * 199
    assert first.same_error(failed(error)) is error


def test_another_code_or_an_answer_ends_the_watch():
    """One other answer among the first is enough to go on."""
    first = FirstAnswers()
    first.same_error(failed(BadRequest("m", code=400)))
    first.same_error(failed(BadRequest("m", code=440)))
    errors = [first.same_error(failed(BadRequest("m", code=400))) for _ in range(400)]
    assert errors == [None] * 400


def test_what_is_no_answer_is_left_out():
    """Timeouts and unknown members neither count nor end the watch."""
    first, error = FirstAnswers(), BadRequest("m", code=400)
    for _ in range(199):
        first.same_error(failed(error))
        first.same_error(failed(AttemptTimeout("late")))
        first.same_error(failed(NotAMember("m", code=404)))
    assert first.same_error(failed(error)) is error


# ── a part of a source ───────────────────────────────────────────────────────────────────────


class Numbers:
    """Rows with one number each, plain or async."""

    path = "numbers"

    def __init__(self, count, *, is_async=False):
        self.count, self.is_async = count, is_async

    def describe(self):
        return SourceInfo(name="n", columns=("n",), fingerprint="f", total=self.count)

    def rows(self, skip):
        rows = ([number] for number in range(skip, self.count))
        return _async(rows) if self.is_async else rows


async def _async(rows):
    for row in rows:
        yield row


async def taken(source, skip=0):
    rows = source.rows(skip)
    return [row[0] async for row in rows] if hasattr(rows, "__aiter__") else [r[0] for r in rows]


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_first_rows(is_async):
    """A limit takes so many, also of a run that goes on after some of them."""
    source = FirstRows(Numbers(100, is_async=is_async), 10)
    assert await taken(source) == list(range(10))
    assert await taken(source, 7) == [7, 8, 9]
    assert await taken(source, 10) == []
    assert source.describe().total == 10
    assert FirstRows(Numbers(5), 10).describe().total == 5
    assert source.path == "numbers"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_sample_is_even_and_always_the_same(is_async):
    """One in ten of any stretch is taken, and a run that goes on has the same rows."""
    source = Sample(Numbers(10_000, is_async=is_async), 0.1)
    rows = await taken(source)
    assert len(rows) == source.describe().total
    assert all(90 <= sum(n // 1000 == k for n in rows) <= 110 for k in range(10))
    assert await taken(source, 500) == rows[500:]


def test_parts_have_fingerprints_of_their_own():
    """A run over a part does not go on as one over all."""
    parts = [Numbers(10), FirstRows(Numbers(10), 5), Sample(Numbers(10), 0.5)]
    assert len({part.describe().fingerprint for part in parts}) == 3


@pytest.mark.parametrize(
    ("part", "value"),
    [(FirstRows, 0), (FirstRows, 1.5), (FirstRows, True), (Sample, 0), (Sample, 2), (Sample, "1")],
)
def test_a_part_must_be_one(part, value):
    """A limit from 1, and a share above 0 up to 1."""
    with pytest.raises(ConfigurationError, match="must be a"):
        part(Numbers(10), value)
