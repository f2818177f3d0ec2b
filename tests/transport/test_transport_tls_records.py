"""Half a TLS record is something that has come: a stray in it is nobody's answer."""

import ssl

import pytest

from altcraft_balance.errors import ConnectionFailed
from altcraft_balance.transport.look import has_arrived
from altcraft_balance.transport.port import SendFailed
from altcraft_balance.transport.tls_records import WholeRecords, record_by_record
from altcraft_balance.transport.trouble import refusal_by_tls
from tests.hostile.server import RawServer
from tests.transport.strays import STRAY, was_asked_once_on_a_new_connection

CUTS = [1, 4, 5, 60, -1]
each_cut = pytest.mark.parametrize("cut", CUTS)


@pytest.fixture
def serve_tls(stack, authority):
    """Start a server that speaks TLS."""

    async def serve_tls(script):
        return await stack.enter_async_context(RawServer(script, context=authority.serving()))

    return serve_tls


@each_cut
@pytest.mark.parametrize("when", ["with the answer", "while it is idle"])
@pytest.mark.parametrize("mine", [False, True], ids=["our context", "the user's"])
async def test_half_a_record_of_a_stray_is_seen(serve_tls, ask, tools, authority, when, cut, mine):
    """Its rest comes when something is asked; until then no look at the socket shows it."""

    async def script(peer):
        await peer.request()
        answer, stray = peer.sealed(tools.reply(b"first")), peer.sealed(STRAY)
        if when == "with the answer":
            peer.send_sealed(answer + stray[:cut])
        else:
            peer.send_sealed(answer)
            await tools.turns()
            peer.send_sealed(stray[:cut])
        if await peer.request():
            peer.send_sealed(stray[cut:])

    server = await serve_tls(script)
    trusted = {"ca_file": authority.file}
    if mine:
        trusted = {"ssl_context": ssl.create_default_context(cafile=authority.file)}
    asker = await ask(server, **trusted)
    assert (await asker.send(b"first")).body == b"first"
    server.script = server.answer
    await tools.turns(30)
    assert (await asker.send(b"second")).body == b"balance of second"
    assert was_asked_once_on_a_new_connection(server, b"second")


@each_cut
async def test_half_a_record_behind_the_handshake_is_not_the_answer(
    serve_tls, ask, tools, authority, cut
):
    """Whoever speaks first, if only half, is not asked."""
    spoken = []

    async def script(peer):
        stray = peer.sealed(STRAY)
        peer.send_sealed(stray[:cut])
        spoken.append(peer)
        if await peer.request():
            peer.send_sealed(stray[cut:])

    def look(transport):
        # The server's task runs in this loop: only when it has spoken is there anything to see.
        return not spoken or has_arrived(transport)

    server = await serve_tls(script)
    asker = await ask(server, ca_file=authority.file, look=look)
    with pytest.raises(SendFailed, match="spoke or hung up before it was asked"):
        await asker.send(b"first")
    assert server.requests == []


# -- the records themselves --


class Ends:
    """Both ends of a TLS connection in memory; ours is given what arrives as it arrives."""

    def __init__(self, authority):
        context = ssl.create_default_context(cafile=authority.file)
        record_by_record(context)
        self.arriving, self.leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ours = context.wrap_bio(self.arriving, self.leaving, server_hostname="127.0.0.1")
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._theirs = authority.serving().wrap_bio(self._in, self._out, server_side=True)

    def shake(self, step):
        """Shake hands, so many bytes at a time."""
        waiting = True
        while waiting:
            waiting = self._step(self.ours.do_handshake)
            self._in.write(self.leaving.read())
            self._step(self._theirs.do_handshake)
            self.arrive(self._out.read(), step)

    def _step(self, shake):
        try:
            shake()
        except ssl.SSLWantReadError:
            return True
        return False

    def arrive(self, data, step):
        for at in range(0, len(data), step):
            self.arriving.write(data[at : at + step])
            try:
                self._step(self.ours.do_handshake)
            finally:
                self.read()

    def sealed(self, data):
        self._theirs.write(data)
        return self._out.read()

    def read(self):
        """What has come, as far as it can be read."""
        came = b""
        try:
            while piece := self.ours.read(65536):
                came += piece
        except (ssl.SSLWantReadError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass
        return came


@pytest.fixture
def ends(authority):
    return Ends(authority)


@pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
def test_records_come_whole_however_they_are_cut(ends, step):
    """Those of the handshake and the tickets as well."""
    ends.shake(step)
    assert isinstance(ends.ours, WholeRecords)
    data, came = ends.sealed(b"one") + ends.sealed(b"x" * 40_000) + ends.sealed(b"two"), b""
    for at in range(0, len(data), step):
        ends.arriving.write(data[at : at + step])
        came += ends.read()
    assert came == b"one" + b"x" * 40_000 + b"two"
    assert ends.ours.unfinished == b""


def test_what_is_unfinished_is_known_byte_by_byte(ends):
    """From a record's first byte to its last but one."""
    ends.shake(100_000)
    data = ends.sealed(b"one")
    for at in range(len(data)):
        ends.arriving.write(data[at : at + 1])
        assert ends.read() == (b"one" if at == len(data) - 1 else b"")
        assert ends.ours.unfinished == (b"" if at == len(data) - 1 else data[: at + 1])


@pytest.mark.parametrize(
    "plain", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\xff\xff", b"\0" * 5]
)
def test_what_is_no_record_is_refused_at_once(ends, plain):
    """OpenSSL says what is wrong with it; nobody waits for the rest of it."""
    with pytest.raises(ssl.SSLError) as refused:
        ends.arrive(plain, 100)
    assert not isinstance(refused.value, ssl.SSLWantReadError)


def test_the_end_comes_behind_what_was_begun(ends):
    """Half a record and the end: no answer, and no wait; OpenSSL may call it a decent end."""
    ends.shake(100_000)
    ends.arriving.write(ends.sealed(b"one")[:-1])
    ends.arriving.write_eof()
    try:
        came = ends.ours.read(10)
    except ssl.SSLWantReadError:
        raise AssertionError("it waits for what will never come") from None
    except ssl.SSLError:
        came = b""
    assert came == b""


def test_a_context_with_objects_of_its_own_is_left_alone():
    """Somebody else has hung in something there."""

    class Other(ssl.SSLObject):
        pass

    context = ssl.create_default_context()
    context.sslobject_class = Other
    record_by_record(context)
    assert context.sslobject_class is Other


# -- records that are damaged --


@pytest.mark.parametrize("before", [0, 2], ids=["the first reply", "a later one"])
async def test_a_damaged_record_breaks_the_connection_and_no_more(
    serve_tls, ask, tools, authority, before
):
    """It is no refusal, which would end a run of a million: the lookup may be repeated."""

    async def script(peer):
        for _ in range(before):
            await peer.request()
            peer.send(tools.reply(b"right"))
        await peer.request()
        damaged = bytearray(peer.sealed(tools.reply(b"right")))
        damaged[40] ^= 1
        peer.send_sealed(bytes(damaged))
        await peer.gone()

    asker = await ask(await serve_tls(script), ca_file=authority.file)
    for _ in range(before):
        assert (await asker.send()).body == b"right"
    with pytest.raises(SendFailed, match="closed the connection") as caught:
        await asker.send()
    error = caught.value.error
    assert isinstance(error, ConnectionFailed)
    assert error.transient
    assert error.maybe_sent


@pytest.mark.parametrize(("reason", "is_refusal"), [
    ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True),
    ("TLSV1_ALERT_UNKNOWN_CA", True),
    ("SSLV3_ALERT_BAD_CERTIFICATE", True),
    ("TLSV1_ALERT_ACCESS_DENIED", True),
    ("SSLV3_ALERT_BAD_RECORD_MAC", False),
    ("TLSV1_ALERT_INTERNAL_ERROR", False),
    ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", False),
    ("WRONG_VERSION_NUMBER", False),
])  # fmt: skip
def test_behind_the_handshake_only_some_alerts_refuse(reason, is_refusal):
    """By which a server says that it does not want this client; all else is a broken connection."""
    error = ssl.SSLError(1, reason)
    error.reason = reason
    assert (refusal_by_tls(error) is not None) == is_refusal
