"""Bytes that a server could send and nobody would like: recorded replies, changed by chance."""

from pathlib import Path

from hypothesis import strategies as st

REPLIES = Path(__file__).parent.parent / "samples" / "replies"
BODIES = sorted({path.read_bytes() for path in REPLIES.glob("*/*.bin")})
JSON_BODIES = [body for body in BODIES if body[:1] == b"{"]
XML_BODIES = [body for body in BODIES if body[:1] == b"<"]
SUCCESSES = [body for body in BODIES if b"active_balance" in body and b"403" not in body]
STATUSES = (200, 204, 302, 400, 401, 404, 408, 429, 500, 503)

#: What means something to a parser, and what is nearly that.
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
    *[b"-->", b"18446744073709551616", b"0.1", b"1E+2", b"\xd9\xa1", b"\\ud800", b"error", b"data"],
]


@st.composite
def mutated(draw, bodies=BODIES):
    """A recorded reply with some bytes cut out, and something else in their place."""
    body = bytearray(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        width = draw(st.integers(0, 12))
        body[start : start + width] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return bytes(body)


SOUP = st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join)
ANY_BYTES = st.binary(max_size=60) | SOUP | mutated()


def mutated_by(chance):
    """The same out of a `random.Random`, a hundred times as quick, for runs of millions."""
    if chance.random() < 0.1:
        return b"".join(chance.choices(PIECES, k=chance.randrange(20)))
    body = bytearray(chance.choice(chance.choice((BODIES, SUCCESSES))))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 4))):
        start = chance.randint(0, len(body))
        piece = chance.choice(PIECES) if chance.random() < 0.7 else chance.randbytes(2)
        if chance.random() < 0.1:  # a stretch of the reply itself stands there again
            piece = bytes(body[start // 2 : start])
        body[start : start + chance.randrange(chance.choice((1, 3, 13)))] = piece
    return bytes(body[: chance.randint(0, len(body))] if chance.random() < 0.1 else body)
