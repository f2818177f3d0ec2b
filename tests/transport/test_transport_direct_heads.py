"""The fast lane's memory of heads: it saves reading them, and changes nothing else."""

import pytest

from altcraft_balance.transport.direct_heads import HeadsRead
from altcraft_balance.transport.direct_reply import ReplyReader
from tests.transport.strays import STRAY

CAP = 4096


def reply(body, *lines, status="200 OK", length=None):
    lines = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {length or len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def heads():
    return HeadsRead()


@pytest.fixture
def reader(heads):
    """A reader that has seen one ordinary reply, as another connection of its transport has."""
    ReplyReader("host.test", CAP, heads).feed(reply(b"first"))
    return ReplyReader("host.test", CAP, heads)


def test_a_head_that_is_known_is_not_read_again(reader):
    """On no connection of a transport; the body and the rest are the reply's own."""
    reader._parser = None
    answer = reader.feed(reply(b"right"))
    assert (answer.status, answer.body, answer.reused, reader.kept) == (200, b"right", False, True)
    assert answer.headers["content-length"] == "5"


def test_replies_that_are_known_and_new_ones_take_turns(reader):
    """The parser does not notice what it does not see."""
    for number in range(40):
        body = b"x" * (number % 3 + 4)
        answer = reader.feed(reply(body) if number % 2 else reply(body, f"N: {number}"))
        assert answer.body == body


@pytest.mark.parametrize("cut", range(1, len(STRAY) + 1))
def test_a_stray_behind_a_known_head_spoils_the_connection(reader, cut):
    """However little of it has come in the same piece."""
    answer = reader.feed(reply(b"right") + STRAY[:cut])
    assert (answer.body, reader.kept) == (b"right", False)


def test_a_known_head_inside_a_body_is_a_part_of_the_body(reader):
    """What begins in the middle of a reply is not looked up."""
    inner = reply(b"wrong")
    whole = reply(inner)
    assert reader.feed(whole[: -len(inner)]) is None
    assert reader.feed(inner).body == inner


@pytest.mark.parametrize(
    "odd",
    [
        reply(b"right", "Connection: close"),
        reply(b"right", status="500 No"),
        reply(b"right", "Content-Encoding: br"),
        b"HTTP/1.1 103 Early\r\n\r\n" + reply(b"right"),
        reply(b"right", "X: " + "y" * 2048),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n",
    ],
)
def test_only_what_is_wholly_ordinary_is_remembered(heads, odd):
    """All else is read each time."""
    ReplyReader("host.test", CAP, heads).feed(odd)
    assert heads.known == {}


def test_heads_that_never_come_again_give_it_a_rest(reader, heads):
    """It does not grow, and is not tried again for a while."""
    sizes = []
    for number in range(3000):
        reader.feed(reply(b"right", f"N: {number}"))
        sizes.append(len(heads.known))
    assert max(sizes) == 64
    assert sizes.count(0) > 1900
    assert sizes[2100] > 0


def test_heads_that_come_again_are_remembered_again_at_once(reader, heads):
    """A new second brings new heads, without a rest in between."""
    for number in range(2000):
        second = reply(b"right", f"Date: {number // 10}")
        reader.feed(second)
    reader._parser = None
    assert reader.feed(second).body == b"right"
