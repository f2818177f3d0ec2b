"""Row 17: truncation is noticed.

Every recorded reply that holds a balance is cut at every byte, plain and gzip, with a length, in
chunks and up to the close. A part gives the whole's balance, when only blanks are missing, or an
error; never another balance.
"""

import gzip

import pytest

from altcraft_balance.transport.direct_reply import ReplyReader
from altcraft_balance.transport.inflate import CannotDecode, decode_body
from altcraft_balance.transport.port import RawReply
from tests.hostile.replies import FRAMINGS, framed
from tests.lanes import LANES
from tests.promises.child import in_child
from tests.promises.recorded import PACKINGS, amounts, samples


def is_other(body, right):
    """Whether something was read that is not what the whole says."""
    return any(found not in (None, right) for found in amounts(body))


def test_every_cut_of_a_body_is_noticed(promise):
    """The codec alone, as with a body that ends with its connection."""
    stated = promise(17, "truncation is noticed: bodies, in the codec")
    wrong, tried = [], 0
    for name, body in samples():
        right = amounts(body)[1]
        assert right is not None, name
        wrong += [f"{name}, {at}" for at in range(len(body)) if is_other(body[:at], right)]
        tried += len(body)
    stated.came(tried=tried, failed=len(wrong), figure="no other balance", why="\n".join(wrong))


def test_every_cut_of_a_packed_body_is_noticed(promise):
    """Of a gzip body the last byte counts: no part of it decodes."""
    stated = promise(17, "truncation is noticed: gzip, in the decoder")
    wrong, tried = [], 0
    for name, body in samples():
        packed = gzip.compress(body, mtime=0)
        tried += len(packed)
        wrong += [f"{name}, {at}" for at in range(len(packed)) if decodes(packed[:at])]
        assert decodes(packed)
    stated.came(tried=tried, failed=len(wrong), figure="none decodes", why="\n".join(wrong))


def decodes(body):
    try:
        decode_body(body, "gzip", 65_536)
    except CannotDecode:
        return False
    return True


def test_every_cut_of_a_whole_reply_is_noticed(promise):
    """Head and framing with it, as the fast lane reads them."""
    stated = promise(17, "truncation is noticed: whole replies, in the fast lane's reader")
    wrong, tried = [], 0
    for name, body in samples():
        right = amounts(body)[1]
        for packing, framing in ((p, f) for p in PACKINGS for f in FRAMINGS):
            whole = framed(PACKINGS[packing](body), framing, packing)
            assert right in amounts(read_whole(whole).body)
            for at in range(len(whole)):
                tried, raw = tried + 1, read_whole(whole[:at])
                if isinstance(raw, RawReply) and is_other(raw.body, right):
                    wrong.append(f"{name}, {packing}, {framing}, {at}")
    stated.came(tried=tried, failed=len(wrong), figure="no other balance", why="\n".join(wrong))


def read_whole(data):
    """What the reader makes of these bytes and the end."""
    reader = ReplyReader("host", 65_536)
    outcome = reader.feed(data) if data else None
    if outcome is None:
        outcome = reader.feed_end()
    reader.close()
    return outcome


@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("lane", LANES)
def test_every_cut_is_noticed_over_a_connection(promise, size, lane, end):
    """The whole way, on real sockets, at every byte of some replies (of all at the full size)."""
    stated = promise(17, f"truncation is noticed: over {lane}, {end}")
    result = in_child("cuts", lane=lane, end=end, samples=size(2, 100), limit_s=size(120, 1800))
    stated.came(
        tried=result["tried"],
        failed=len(result["wrong"]),
        figure=f"{result['errors']} errors, {result['same']} the same, no other balance",
        why="\n".join(result["wrong"]),
    )
