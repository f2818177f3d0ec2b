"""Decoding under a cap: the right bytes, or an error, and never more memory than the cap."""

import contextlib
import gzip
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.transport.inflate import CannotDecode, TooLarge, decode_body

CAP = 65_536
TEXT = b'{"error":0,"data":{"total_balance":"1200.50","active_balance":"1000"}}'


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


WAYS = {
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": (" X-GZip ", gzip.compress),
    "gzip members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
}
each_way = pytest.mark.parametrize(("name", "encode"), WAYS.values(), ids=WAYS)
each_packed = pytest.mark.parametrize(
    ("name", "encode"), list(WAYS.values())[2:], ids=list(WAYS)[2:]
)


@each_way
@given(data=st.binary(max_size=2000))
def test_what_was_encoded_comes_out(name, encode, data):
    """Every encoding that is understood gives back the very bytes."""
    assert decode_body(encode(data), name, CAP) == data


@each_way
@pytest.mark.parametrize("size", [CAP - 1, CAP])
def test_up_to_the_cap_is_fine(name, encode, size):
    """The cap itself is allowed, to the byte."""
    assert len(decode_body(encode(b"a" * size), name, CAP)) == size


@each_way
@pytest.mark.parametrize("size", [CAP + 1, 10 * CAP])
def test_beyond_the_cap_is_refused(name, encode, size):
    """One byte more is too much, wherever in the members it stands."""
    with pytest.raises(TooLarge):
        decode_body(encode(b"a" * size), name, CAP)


@each_packed
def test_every_cut_is_noticed(name, encode):
    """A compressed body that is cut at any byte never gives a result other than the whole's."""
    packed = encode(TEXT)
    for cut in range(len(packed)):
        if cut and packed[cut:].startswith(b"\x1f\x8b"):
            # Between two whole members, which nothing in the format tells: a part of the text.
            assert TEXT.startswith(decode_body(packed[:cut], name, CAP))
            continue
        with pytest.raises(CannotDecode, match="cut short"):
            decode_body(packed[:cut], name, CAP)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_every_flipped_bit_is_noticed_or_harmless(name):
    """A flipped bit gives an error or the same bytes, where the format has a checksum."""
    packed = gzip.compress(TEXT, mtime=0) if name == "gzip" else zlib.compress(TEXT)
    for number in range(len(packed) * 8):
        damaged = bytearray(packed)
        damaged[number // 8] ^= 1 << number % 8
        with contextlib.suppress(CannotDecode):
            assert decode_body(bytes(damaged), name, CAP) == TEXT


@pytest.mark.parametrize("name", ["gzip", "deflate"])
@given(data=st.binary(max_size=200))
def test_garbage_gives_only_our_errors(name, data):
    """Any bytes at all give bytes within the cap, or one of the two errors."""
    with contextlib.suppress(CannotDecode, TooLarge):
        assert len(decode_body(data, name, 300)) <= 300


def test_bytes_behind_the_end_are_damage():
    """What follows the last member is another member or damage."""
    with pytest.raises(CannotDecode, match="damaged"):
        decode_body(gzip.compress(TEXT) + b"more", "gzip", CAP)


def test_many_members_are_refused():
    """Sixteen parts are plenty; a thousand empty ones are an attack."""
    member = gzip.compress(b"a")
    assert decode_body(member * 16, "gzip", CAP) == b"a" * 16
    with pytest.raises(CannotDecode, match="too many"):
        decode_body(member * 17, "gzip", CAP)


@pytest.mark.parametrize("name", ["br", "zstd", " Compress"])
def test_an_encoding_that_was_not_asked_for_is_refused(name):
    """One that others know is named."""
    with pytest.raises(CannotDecode, match=f"is '{name.strip().lower()}' and was not asked for"):
        decode_body(TEXT, name, CAP)


@pytest.mark.parametrize("name", ["gzip, gzip", "x" * 500, "\0", "user@example.com", "t0ken br"])
def test_an_encoding_that_nobody_knows_is_not_shown(name):
    """A server that repeats what it was told may do so in any header."""
    with pytest.raises(CannotDecode) as caught:
        decode_body(TEXT, name, CAP)
    assert str(caught.value) == (
        "its Content-Encoding is one that nobody knows and was not asked for"
    )


def bombs():
    ten_mib = gzip.compress(bytes(10 << 20))
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    huge = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    return {
        "one member": ten_mib,
        "members": ten_mib * 6,
        "64 MiB in 64 KiB": huge,
        "small members, then a bomb": gzip.compress(b"a") * 15 + ten_mib,
        "gzip in gzip": gzip.compress(ten_mib),
    }


@pytest.mark.parametrize(("kind", "packed"), bombs().items())
def test_a_bomb_costs_no_more_than_the_cap(kind, packed):
    """Gigabytes in kilobytes are refused with at most the cap and its copies in memory."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        if kind == "gzip in gzip":  # its inner layer is data like any other
            assert len(decode_body(packed, "gzip", CAP)) < CAP
        else:
            with pytest.raises(TooLarge):
                decode_body(packed, "gzip", CAP)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(("kind", "packed"), bombs().items())
def test_a_bomb_costs_no_time(kind, packed, thread_cpu):
    """And in a few milliseconds of CPU."""
    with thread_cpu(limit_s=0.03), contextlib.suppress(TooLarge):
        decode_body(packed, "gzip", CAP)


def test_noise_that_does_not_compress_is_no_bomb():
    """A body near the cap that grew by compressing is decoded."""
    noise = random.Random(1).randbytes(CAP)
    assert decode_body(gzip.compress(noise), "gzip", CAP) == noise
