"""Whatever comes back, only our errors come out (15), and a cut reply is noticed (17)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from altcraft_balance.errors import AltcraftBalanceError, ApiError
from altcraft_balance.models import Balance
from tests.strategies.bytes import ANY_BYTES, REPLIES, STATUSES
from tests.strategies.examples import USUAL

VALID = sorted(
    path
    for path in REPLIES.glob("*/*.bin")
    if path.parent.name.startswith(("success-", "error-")) and path.parent.name[-3:] != "ber"
)


@settings(max_examples=20 * USUAL)
@given(ANY_BYTES, st.sampled_from(STATUSES))
@example(b"{" * 70_000, 200)
@example(b"[" * 70_000, 200)
@example(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", 200)
@example(b'{"error":' + b"1" * 70_000 + b"}", 200)
@example(b'{"error":1e' + b"1" * 70_000 + b"}", 200)
@example(b'{"error":' + b"1" * 5_000 + b',"x":"\\n"}', 200)
@example(b"<xml " * 10_000, 200)
def test_only_our_errors_come_out_of_any_bytes(read, body, status):
    """Any bytes at any status give a balance that says its amounts, or one of our errors."""
    try:
        balance = read(body, status, {"content-type": repr(body)[:200]})
    except AltcraftBalanceError as error:
        shown = str(error)
    else:
        shown = repr(balance)
        assert balance.total_balance.is_finite()
        assert balance.active_balance.is_finite()
    assert shown.isprintable()


def said(result):
    if isinstance(result, Balance):
        return str(result.total_balance), str(result.active_balance)
    return result[2].get("code"), result[2].get("text")


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_reply_cut_at_any_byte_never_gives_another_result(path, outcome):
    """What is left of a reply gives the whole reply's result, or is noticed and worth a repeat."""
    body = path.read_bytes()
    whole = said(outcome(body))
    for end in range(len(body)):
        result = outcome(body[:end])
        if isinstance(result, Balance) or issubclass(result[0], ApiError):
            assert said(result) == whole
            assert not body[end:].strip()  # nothing was missing but the last line's end
        else:
            assert result[2]["transient"]


@pytest.mark.parametrize("path", VALID, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_reply_whose_beginning_is_missing_never_gives_another_result(path, outcome):
    """The same when the first bytes are lost."""
    body = path.read_bytes()
    whole = said(outcome(body))
    for start in range(1, len(body)):
        result = outcome(body[start:])
        if isinstance(result, Balance) or issubclass(result[0], ApiError):
            assert said(result) == whole
