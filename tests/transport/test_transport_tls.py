"""TLS is enforced: who cannot prove who he is gets nothing, once."""

import asyncio
import contextlib
import datetime as dt
import os
import socket
import ssl
import threading
import warnings

import pytest

from altcraft_balance.errors import TlsRefused
from altcraft_balance.transport.own_buffer import PIECE_BYTES
from altcraft_balance.transport.port import SendFailed


class TlsServer(asyncio.Protocol):
    """Answers each request with the same few bytes."""

    def __init__(self, server):
        server.count += 1
        server.protocols.append(self)
        self.server, self.transport = server, None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.server.received += data
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")


@pytest.fixture
def serve_tls(stack):
    """Start a TLS server that counts connections, those without a handshake included."""

    async def serve_tls(context):
        class Server:
            count, received, protocols = 0, b"", []

        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: TlsServer(Server), "127.0.0.1", 0, ssl=context)
        Server.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        Server.url = f"https://{Server.host}"

        async def stop():
            server.close()
            for protocol in Server.protocols:
                if protocol.transport is not None:
                    protocol.transport.abort()
            for _ in range(10):
                await asyncio.sleep(0)

        stack.push_async_callback(stop)
        return Server

    return serve_tls


class PlainServer:
    """As OpenSSL does it by itself: asyncio's server resets where this one sends its alert."""

    def __init__(self, context):
        self.context, self.count, self.received, self.socks = context, 0, b"", []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.url = f"https://{self.host}"
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            sock, _ = self.sock.accept()
            with sock:
                sock.settimeout(10)
                if self.stopping:
                    return
                self.count += 1
                with contextlib.suppress(OSError):
                    self.play(sock)

    stopping = False

    def play(self, sock):
        try:
            tls = self.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        except OSError:
            return
        with tls:
            try:
                tls.do_handshake()
                while data := tls.recv(65536):
                    self.received += data
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright")
            except ssl.SSLError:
                # Wait for the other end's close: a reset would overtake the alert.
                raw = socket.socket(fileno=os.dup(tls.fileno()))
                with raw:
                    raw.shutdown(socket.SHUT_WR)
                    while raw.recv(65536):
                        pass

    def stop(self):
        self.stopping = True
        with contextlib.suppress(OSError), socket.create_connection(self.sock.getsockname(), 5):
            pass
        self.thread.join()
        self.sock.close()


@pytest.fixture
def serve_alerts(stack):
    """Start such a server; it ends after the transports that talk to it."""

    def serve_alerts(context):
        server = PlainServer(context)
        stack.callback(server.stop)
        return server

    return serve_alerts


async def refused(asker, server):
    """The failure of one request, and that it was the only one and said nothing."""
    with pytest.raises(SendFailed) as caught:
        await asker.send(b"the body")
    error = caught.value.error
    assert type(error) is TlsRefused
    assert (error.kind, error.transient) == ("tls_refused", False)
    assert not caught.value.reused
    assert str(error).startswith(f"TLS with {server.host} failed: ")
    assert server.count == 1
    assert b"the body" not in server.received
    assert asker.taken == asker.idle == 0
    return error


async def test_a_good_certificate_is_accepted(serve_tls, ask, authority):
    """With `ca_file` a server of that authority is asked, and the connection kept."""
    server = await serve_tls(authority.serving())
    asker = await ask(server, ca_file=authority.file, warm=1)
    for _ in range(3):
        answer = await asker.send()
        assert (answer.body, answer.reused) == (b"right", True)
    assert server.count == 1


async def test_an_own_context_is_used(serve_tls, ask, authority):
    """`ssl_context` is taken as it is."""
    server = await serve_tls(authority.serving())
    asker = await ask(server, ssl_context=ssl.create_default_context(cafile=authority.file))
    assert (await asker.send()).body == b"right"


@pytest.mark.parametrize(("size", "kept"), [(PIECE_BYTES - 1, 1), (PIECE_BYTES, 0)])
async def test_a_reply_that_fills_the_buffer_may_have_more_behind_it(
    serve_tls, ask, authority, monkeypatch, size, kept
):
    """What TLS has deciphered lies where no look can see it, so the connection is not kept."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %05d\r\n\r\n"
    length = size - len(head % 0)
    whole = head % length + bytes(length)
    monkeypatch.setattr(TlsServer, "data_received", lambda self, _: self.transport.write(whole))
    asker = await ask(await serve_tls(authority.serving()), ca_file=authority.file)
    assert len((await asker.send()).body) == length
    assert asker.idle == kept


@pytest.mark.parametrize("look", [True, False])
async def test_a_stray_over_tls_is_seen(serve_tls, ask, authority, tools, look):
    """Unread bytes on an idle TLS connection make it unfit, as on a plain one."""
    server = await serve_tls(authority.serving())
    asker = await ask(server, ca_file=authority.file)
    await asker.send()
    server.protocols[0].transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")
    if look:
        await tools.turns()
    answer = await asker.send()
    assert (answer.body, answer.reused) == (b"right", False)


async def test_an_expired_certificate(serve_tls, ask, authority):
    """Refused, not to be repeated."""
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    context = authority.serving(not_before=past, not_after=past + dt.timedelta(days=1))
    server = await serve_tls(context)
    error = await refused(await ask(server, ca_file=authority.file), server)
    assert "expired" in str(error)


async def test_a_certificate_of_a_stranger(serve_tls, ask, authority, stranger):
    """A server that proves itself by an authority that is not trusted is refused."""
    server = await serve_tls(stranger.serving())
    await refused(await ask(server, ca_file=authority.file), server)


async def test_a_self_signed_certificate_by_default(serve_tls, ask, authority):
    """So it is with the system's authorities."""
    server = await serve_tls(authority.serving())
    error = await refused(await ask(server), server)
    assert "certificate" in str(error)


async def test_a_certificate_of_another_host(serve_tls, ask, authority):
    """A good certificate of somebody else is refused."""
    server = await serve_tls(authority.serving("other.test"))
    error = await refused(await ask(server, ca_file=authority.file), server)
    assert "127.0.0.1" in str(error)


async def test_tls_1_1_is_refused(serve_alerts, ask, authority):
    """A server that speaks nothing newer than TLS 1.1 is refused."""
    context = authority.serving()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    server = serve_alerts(context)
    await refused(await ask(server, ca_file=authority.file), server)


async def test_tls_1_2_is_accepted(serve_tls, ask, authority):
    """TLS 1.2 is good enough."""
    context = authority.serving()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = await serve_tls(context)
    assert (await (await ask(server, ca_file=authority.file)).send()).body == b"right"


async def test_plain_text_on_the_port(serve, ask):
    """A server that speaks plain HTTP on that port is refused, and gets no request."""

    async def script(peer):
        await peer._receive()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    server = await serve(script)
    asker = await ask(f"https://{server.host}")
    with pytest.raises(SendFailed, match="wrong version number") as caught:
        await asker.send(b"the body")
    assert type(caught.value.error) is TlsRefused
    assert len(server.peers) == 1
    await server.peers[0].gone()
    assert b"the body" not in server.peers[0].received


async def test_a_server_that_hangs_up_in_the_handshake_is_only_a_failure(serve, ask):
    """That is the network's trouble, and may be repeated."""

    async def script(peer):
        await peer._receive()
        peer.close()

    server = await serve(script)
    asker = await ask(f"https://{server.host}")
    with pytest.raises(SendFailed) as caught:
        await asker.send()
    assert (caught.value.error.kind, caught.value.error.transient) == ("connection_failed", True)
    assert len(server.peers) == 1


async def test_a_refused_warm_connection_says_the_same(
    serve_tls, tools, authority, stranger, stack
):
    """Opening ahead fails as a request would."""
    server = await serve_tls(stranger.serving())
    asker = tools.Asker(server.url, ca_file=authority.file)
    with pytest.raises(SendFailed) as caught:
        await asker.open(warm=1)
    assert type(caught.value.error) is TlsRefused


async def test_the_schemes_case_changes_nothing(serve_tls, ask, authority):
    """``HTTPS://`` is under the same context as ``https://``, with the authorities given."""
    server = await serve_tls(authority.serving())
    asker = await ask(server.url.replace("https", "HTTPS"), ca_file=authority.file)
    assert (await asker.send()).body == b"right"


# ── our own certificate ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def picky(serve_alerts, authority):
    """A server that wants a certificate of its clients."""

    def picky(version):
        context = authority.serving()
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
        return serve_alerts(context)

    return picky


versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@versions
@pytest.mark.parametrize("files", [1, 2])
async def test_a_client_certificate_is_shown(picky, ask, authority, version, files, tmp_path):
    """One file with both, or a file each."""
    cert = authority.issue("client")
    if files == 1:
        client_cert = authority.file_of(cert)
    else:
        client_cert = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
        cert.cert_chain_pems[0].write_to_path(client_cert[0])
        cert.private_key_pem.write_to_path(client_cert[1])
    server = picky(version)
    asker = await ask(server, ca_file=authority.file, client_cert=client_cert)
    assert (await asker.send()).body == b"right"


@versions
async def test_a_missing_client_certificate_is_refused(picky, ask, authority, version):
    """A server that wants one and gets none refuses; with TLS 1.3 only after the handshake."""
    for _ in range(10):
        server = picky(version)
        error = await refused(await ask(server, ca_file=authority.file), server)
        assert "certificate" in str(error) or "handshake failure" in str(error)
