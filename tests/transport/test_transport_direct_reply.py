"""The fast lane's reader of replies, on bytes alone."""

import gzip

import pytest

from altcraft_balance.errors import ConnectionFailed, UnexpectedReply
from altcraft_balance.transport.caps import HEAD_BYTES
from altcraft_balance.transport.direct_headers import ReplyHeaders
from altcraft_balance.transport.direct_reply import ReplyReader
from altcraft_balance.transport.port import RawReply, SendFailed
from tests.transport.strays import STRAY

CAP = 4096


@pytest.fixture
def reader():
    return ReplyReader("host.test", CAP)


def reply(*lines, body=b"", status="200 OK", length=True):
    lines = [f"HTTP/1.1 {status}", *lines, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunks(*parts, trailers=b""):
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))[:-2] + (
        trailers + b"\r\n"
    )


CHUNKED = reply("Transfer-Encoding: chunked", length=False)
WHOLE = {
    "sized": reply("A: b", body=b"right"),
    "chunked": CHUNKED + chunks(b"ri", b"g", b"ht"),
    "trailers": CHUNKED + chunks(b"right", trailers=b"Retry-After: 9\r\nX: y\r\n"),
    "interim": reply("Link: x", status="103 Early", length=False) + reply(body=b"right"),
    "gzip": reply("Content-Encoding: gzip", body=gzip.compress(b"right", mtime=0)),
    "gzip in chunks": reply("Transfer-Encoding: chunked", "Content-Encoding: gzip", length=False)
    + chunks(*(b"%c" % byte for byte in gzip.compress(b"right", mtime=0))),
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_reply_in_any_two_pieces(reader, whole):
    """Wherever it is cut, the same comes out, again and again on one connection."""
    for cut in range(len(whole)):
        first = reader.feed(whole[:cut]) if cut else None
        assert first is None
        answer = reader.feed(whole[cut:])
        assert (answer.status, answer.body, reader.kept) == (200, b"right", True), cut
        assert answer.headers.get("retry-after") is None
        assert answer.headers.get("link") is None


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_reply_byte_by_byte(reader, whole):
    """One byte at a time."""
    for _ in range(2):
        outcomes = [reader.feed(whole[n : n + 1]) for n in range(len(whole))]
        assert outcomes[:-1] == [None] * (len(whole) - 1)
        assert outcomes[-1].body == b"right"


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_stray_behind_a_reply_spoils_the_connection_and_not_the_reply(whole):
    """However little of it has come in the same piece, whatever the reply is like."""
    for cut in range(1, len(STRAY) + 1):
        reader = ReplyReader("host.test", CAP)
        answer = reader.feed(whole + STRAY[:cut])
        assert (answer.body, reader.kept) == (b"right", False), cut
        assert answer.headers.get("content-type") is None


def test_two_strays_behind_a_reply(reader):
    """Nothing of them gets into the reply."""
    assert reader.feed(WHOLE["sized"] + STRAY * 2).body == b"right"
    assert not reader.kept


def test_a_blank_line_behind_a_reply_is_no_reply(reader):
    """llhttp passes over it; but something has begun there, and nobody knows what."""
    assert reader.feed(WHOLE["sized"] + b"\r\n").body == b"right"
    assert not reader.kept


def test_what_follows_an_announced_end_does_not_spoil_the_reply(reader):
    """With ``Connection: close`` nothing is of further use anyway."""
    answer = reader.feed(reply("Connection: close", body=b"right") + b"garbage")
    assert (answer.body, reader.kept) == (b"right", False)


@pytest.mark.parametrize(
    ("status", "lines", "kept"),
    [
        ("500 No", [], False),
        ("503 No", ["Retry-After: 1"], True),
        ("503 No", [], False),
        ("404 No", [], True),
    ],
)
def test_a_server_that_may_be_broken_is_left(reader, status, lines, kept):
    """A 5xx without a wish ends its connection, as over aiohttp."""
    assert reader.feed(reply(*lines, status=status)).status == int(status[:3])
    assert reader.kept is kept


# ── caps ─────────────────────────────────────────────────────────────────────────────────────


def fed(reader, data, size=HEAD_BYTES):
    """What comes of `data`, in pieces as a connection reads them."""
    for start in range(0, len(data), size):
        if (outcome := reader.feed(data[start : start + size])) is not None:
            return outcome
    return None


@pytest.mark.parametrize("first", [1, 1000, HEAD_BYTES - 1])
@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False), (HEAD_BYTES // 2, False)])
def test_a_head_in_two_pieces_has_the_same_cap(reader, first, over, fits):
    """Its last piece may be a large one, and end it; what lies behind it does not count."""
    empty = reply("X: ", "Content-Length: 5", length=False)
    head = empty.replace(b"X: ", b"X: " + b"a" * (HEAD_BYTES + over - len(empty)))
    assert len(head) == HEAD_BYTES + over
    reader.feed(head[:first])
    rest = head[first:] + b"right"
    outcome = fed(reader, rest, max(HEAD_BYTES, len(rest)))
    assert outcome.body == b"right" if fits else isinstance(outcome, SendFailed)


def test_what_lies_behind_a_reply_that_ends_at_the_heads_cap_is_nobodys(reader):
    """It is not given to the parser, and the connection is not kept."""
    empty = reply("X: ")
    whole = empty.replace(b"X: ", b"X: " + b"a" * (HEAD_BYTES - len(empty)))
    assert reader.feed(whole[:10]) is None
    assert reader.feed(whole[10:] + STRAY).body == b""
    assert not reader.kept


@pytest.mark.parametrize("size", [1000, HEAD_BYTES])
@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 " + b"a" * 99_999,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 99_999,
        b"HTTP/1.1 200 OK\r\n" + b"a" * 99_999,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 9_999,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9_999,
        b"\r\n" * 99_999,
    ],
)
def test_a_head_without_an_end_is_given_up(reader, head, size):
    """After 16 KiB at the latest, interim replies included."""
    outcome = fed(reader, head, size)
    assert isinstance(outcome, SendFailed)
    assert isinstance(outcome.error, ConnectionFailed)
    assert "breaks HTTP" in str(outcome.error)
    assert reader._seen <= HEAD_BYTES + size


@pytest.mark.parametrize(("count", "fits"), [(127, True), (128, False)])
def test_the_number_of_headers_is_capped(reader, count, fits):
    """At 128, ``Content-Length`` included."""
    outcome = reader.feed(reply(*(f"X-{n}: y" for n in range(count))))
    assert isinstance(outcome, RawReply) is fits


@pytest.mark.parametrize(
    "body",
    [
        b"1;" + b"x" * 999_999,
        (b"1;" + b"x" * 200 + b"\r\na\r\n") * 4_000,
        b"0\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(99_999)),
        b"0\r\nX: " + b"y" * 999_999,
    ],
    ids=["an extension", "extensions", "trailers", "a trailer"],
)
def test_what_chunks_add_is_capped(reader, body):
    """Extensions and trailers without an end are given up, though no byte of a body comes."""
    assert isinstance(fed(reader, CHUNKED + body), SendFailed)
    assert reader._seen <= 3 * HEAD_BYTES + CAP


def test_chunks_of_one_byte_fit(reader):
    """The smallest chunks that carry a body of this size; some thousands more, and it is a bomb."""
    assert fed(reader, CHUNKED + chunks(*[b"x"] * 3_000)).body == b"x" * 3_000
    large = ReplyReader("host", 64 * CAP)
    assert isinstance(fed(large, CHUNKED + chunks(*[b"x"] * 3 * CAP), 64), SendFailed)
    assert fed(ReplyReader("host", 64 * CAP), CHUNKED + chunks(*[b"x" * 64] * CAP), 64)


@pytest.mark.parametrize("status", ["200 OK", "404 No"])
@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_the_cap_is_exact(reader, status, pieces):
    """One byte more than the cap is refused; the status of an error is kept."""
    head = reply("Transfer-Encoding: chunked", status=status, length=False)
    assert fed(reader, head + chunks(b"x" * CAP), pieces).body == b"x" * CAP
    outcome = fed(reader, head + chunks(b"x" * CAP, b"y"), pieces)
    if status == "200 OK":
        assert isinstance(outcome.error, UnexpectedReply)
    else:
        assert (outcome.status, outcome.body) == (404, b"")


def test_a_length_beyond_the_cap_is_refused_at_the_head(reader):
    """Without reading what is announced."""
    outcome = reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n")
    assert isinstance(outcome.error, UnexpectedReply)
    assert not reader.kept


# ── the end of the connection ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (reply(length=False) + b"all", b"all"),
        (reply(length=False), b""),
        (b"HTTP/1.0 200 OK\r\n\r\nall", b"all"),
        (reply(body=b"all")[:-1], None),
        (CHUNKED + b"3\r\nall\r\n", None),
        (reply("Transfer-Encoding: gzip", length=False) + b"all", None),
        (b"HTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
    ],
)
def test_the_end_of_a_connection_ends_a_body_without_a_length(reader, data, body):
    """And cuts every other one."""
    assert reader.feed(data) is None
    outcome = reader.feed_end()
    assert (None if outcome is None else outcome.body) == body
    assert not reader.kept or outcome is None


# ── headers ──────────────────────────────────────────────────────────────────────────────────


def test_headers_are_asked_for_by_lower_case_names():
    """However they came; of one that stands twice, the first counts, as over aiohttp."""
    for _ in range(2):  # the second time the names are known
        raw = {b"Retry-AFTER": b"7", b"X": "é".encode(), b"retry-after": b"8"}
        headers = ReplyHeaders(raw)
        assert headers["retry-after"] == headers.get("retry-after") == "7"
        assert headers.get("x") == "é"
        assert headers.get("y") is None
        assert headers.get("y", "z") == "z"
        assert list(headers) == ["retry-after", "x"]
        assert len(headers) == 2
        assert "x" in headers
        assert "X" not in headers
        assert dict(headers) == {"retry-after": "7", "x": "é"}
        assert "7" not in repr(headers)


def test_of_a_header_that_stands_twice_the_first_counts(reader):
    """Also when it is written alike."""
    assert reader.feed(reply("A: 1", "A: 2")).headers["a"] == "1"


def test_names_that_are_made_up_do_not_grow_the_memory(reader):
    """What is known of sets of names has a bound."""
    from altcraft_balance.transport import direct_headers

    for number in range(1000):
        reader.feed(reply(f"X-{number}: y"))
    assert len(direct_headers._known) <= 256
