"""A reply is as long as its head and its body; what is more, and no framing of chunks, is seen."""

import pytest

from altcraft_balance.transport.measure import Measure
from tests.hostile.replies import chunked, head, reply

BODY = b'{"error": 0}'
INTERIM = head(status="100 Continue")
WHOLE = {
    "sized": (reply(BODY), BODY),
    "that ends with lines": (reply(BODY + b"\r\n\r\n"), BODY + b"\r\n\r\n"),
    "of blank lines": (reply(b"\r\n" * 9), b"\r\n" * 9),
    "empty": (reply(b""), b""),
    "chunked": (head("Transfer-Encoding: chunked") + chunked(BODY), BODY),
    "chunked, empty": (head("Transfer-Encoding: chunked") + chunked(b""), b""),
    "chunked, with trailers": (
        head("Transfer-Encoding: chunked") + chunked(BODY)[:-2] + b"X: 1\r\n\r\n",
        BODY,
    ),
    "behind interim ones": (INTERIM * 2 + reply(BODY), BODY),
}
each_reply = pytest.mark.parametrize(("whole", "body"), WHOLE.values(), ids=WHOLE)


def measured(*pieces):
    measure = Measure()
    for piece in pieces:
        measure.add(piece)
    return measure


@each_reply
def test_a_whole_reply_is_exact(whole, body):
    """In one piece, in any two, and byte by byte; and the next one on the connection."""
    assert measured(whole).is_exact(len(body))
    for cut in range(1, len(whole)):
        assert measured(whole[:cut], whole[cut:]).is_exact(len(body)), cut
    measure = measured(*(bytes([byte]) for byte in whole))
    assert measure.is_exact(len(body))
    assert measure.came == len(whole)
    measure.begin()
    measure.add(whole)
    assert measure.is_exact(len(body))


@each_reply
@pytest.mark.parametrize(
    "more", [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\r\n" * 9, b"\r\nHTTP/1.1 2"]
)
def test_what_is_behind_it_is_seen(whole, body, more):
    """However it was cut: in front of it, in it, or nowhere."""
    for cut in range(1, len(whole + more)):
        measure = measured((whole + more)[:cut], (whole + more)[cut:])
        assert not measure.is_exact(len(body)), cut


def test_where_nothing_has_come_nothing_is_behind_it():
    """A connection that was opened ahead."""
    assert Measure().is_exact(0)


def test_a_head_without_an_end_is_not_exact():
    """Of bare line feeds, say: nobody knows where its body begins."""
    assert not measured(reply(BODY).replace(b"\r\n", b"\n")).is_exact(len(BODY))
