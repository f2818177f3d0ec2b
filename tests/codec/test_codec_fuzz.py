"""Whatever comes back, only our errors come out (15), and a cut reply is noticed (17)."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from altcraft_balance.errors import AltcraftBalanceError, ApiError
from altcraft_balance.models import Balance

REPLIES = Path(__file__).parent.parent / "samples" / "replies"
BODIES = sorted({path.read_bytes() for path in REPLIES.glob("*/*.bin")})
VALID = sorted(
    path
    for path in REPLIES.glob("*/*.bin")
    if path.parent.name.startswith(("success-", "error-")) and path.parent.name[-3:] != "ber"
)

PIECES = [
    *[b'"error"', b"0", b'"data"', b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u0065"],
    *[b'"total_balance"', b'"1.00"', b"NaN", b"1e999", b"-", b"null", b"true", b"<", b">", b"/"],
    *[
        b"<xml>",
        b"</xml>",
        b"<error>",
        b"</error>",
        b"<data>",
        b"</data>",
        b"<!DOCTYPE",
        b"&",
        b";",
    ],
    *[b"<![CDATA[", b"]]>", b"<?xml ", b'encoding="utf-16"', b"\x00", b"\xff", b"\xef\xbb\xbf"],
    *[b" ", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"<a:b>", b'xmlns="u"', b"&#x110000;", b"<!--"],
]
STATUSES = st.sampled_from([200, 204, 302, 400, 401, 404, 408, 429, 500, 503])


@st.composite
def mutated(draw):
    """A recorded reply with some bytes cut out, and something else in their place."""
    body = bytearray(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        width = draw(st.integers(0, 12))
        body[start : start + width] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return bytes(body)


SOUP = st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)


@settings(max_examples=2000)
@given(st.binary(max_size=60) | SOUP | mutated(), STATUSES)
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
