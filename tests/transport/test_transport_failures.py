"""Every exception of aiohttp's in our words."""

import errno
import inspect
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from altcraft_balance import errors
from altcraft_balance.transport.failures import translate

KEY = ConnectionKey("host.test", 443, True, True, None, None, None)
INFO = aiohttp.RequestInfo(
    URL("https://host.test/secret"), "POST", CIMultiDictProxy(CIMultiDict()), URL("https://x")
)


def certificate_trouble():
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: secret")
    error.verify_message = "certificate has expired"
    return error


def caused_by(error, cause):
    error.__cause__ = cause
    return error


def ssl_error(reason):
    error = ssl.SSLError(1, "[SSL] secret")
    error.reason = reason
    return error


TABLE = {
    "invalid URL": (
        aiohttp.InvalidURL("http://secret"),
        (errors.ConfigurationError, False, False, "base_url is not a URL that can be asked"),
    ),
    "headers": (
        ValueError("secret"),
        (errors.ConfigurationError, False, False, "aiohttp does not take the request"),
    ),
    "proxy 407": (
        aiohttp.ClientHttpProxyError(INFO, (), status=407, message="secret"),
        (errors.HttpStatusError, False, False, "the proxy answered HTTP 407"),
    ),
    "proxy 408": (
        aiohttp.ClientHttpProxyError(INFO, (), status=408),
        (errors.HttpStatusError, True, False, "the proxy answered HTTP 408"),
    ),
    "proxy 503": (
        aiohttp.ClientHttpProxyError(INFO, (), status=503),
        (errors.HttpStatusError, True, False, "the proxy answered HTTP 503"),
    ),
    "connect limit": (
        aiohttp.ConnectionTimeoutError("https://host.test/secret"),
        (errors.AttemptTimeout, True, False, "no connection to host.test within 2.5 s"),
    ),
    "certificate": (
        aiohttp.ClientConnectorCertificateError(KEY, certificate_trouble()),
        (errors.TlsRefused, False, None, "TLS with host.test failed: "),
    ),
    "handshake": (
        aiohttp.ClientConnectorSSLError(KEY, ssl_error("WRONG_VERSION_NUMBER")),
        (errors.TlsRefused, False, None, "TLS with host.test failed: wrong version number"),
    ),
    "handshake without a reason": (
        aiohttp.ClientConnectorSSLError(KEY, ssl_error(None)),
        (errors.TlsRefused, False, None, "TLS with host.test failed: no reason given"),
    ),
    "an alert later": (
        caused_by(aiohttp.ClientOSError(1, "[SSL] secret"), ssl_error("CERTIFICATE_REQUIRED")),
        (errors.TlsRefused, False, None, "TLS with host.test failed: certificate required"),
    ),
    "a certificate seen later": (
        caused_by(aiohttp.ClientOSError(1, "secret"), certificate_trouble()),
        (errors.TlsRefused, False, None, "TLS with host.test failed: certificate has expired"),
    ),
    "hung up in the handshake": (
        aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "EOF occurred")),
        (errors.ConnectionFailed, True, False, "no connection to host.test: EOF occurred"),
    ),
    "TLS ended": (
        caused_by(aiohttp.ClientOSError(6, "closed"), ssl.SSLZeroReturnError(6, "closed")),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: closed"),
    ),
    "proxy refused": (
        aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(111, "Refused")),
        (errors.ConnectionFailed, True, False, "no connection to the proxy: Refused"),
    ),
    "DNS": (
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name not known")),
        (errors.ConnectionFailed, True, False, "the name of host.test is not known: Name not"),
    ),
    "refused": (
        aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "Refused")),
        (errors.ConnectionFailed, True, False, "no connection to host.test: Refused"),
    ),
    "broken HTTP": (
        aiohttp.ClientResponseError(INFO, (), status=400, message="secret"),
        (errors.ConnectionFailed, True, True, "host.test sent a reply that breaks HTTP"),
    ),
    "hung up": (
        aiohttp.ServerDisconnectedError("secret"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: before the wh"),
    ),
    "cut": (
        aiohttp.ClientPayloadError("secret"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: before the wh"),
    ),
    "reset": (
        aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: Connection re"),
    ),
    "reset while writing": (
        aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: ClientConnec"),
    ),
    "anything": (
        aiohttp.ClientConnectionError("secret"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: ClientConnec"),
    ),
    "raw": (
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        (errors.ConnectionFailed, True, None, "host.test closed the connection: Broken pipe"),
    ),
}


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize(("error", "expected"), TABLE.values(), ids=TABLE)
def test_what_an_exception_is_to_the_user(error, expected, written):
    """Its class, whether a repeat may help, whether the request may have left, and a sentence."""
    kind, transient, maybe_sent, sentence = expected
    ours = translate(error, host="host.test", connect_s=2.5, written=written)
    assert type(ours) is kind
    assert ours.transient is transient
    assert ours.maybe_sent is (written if maybe_sent is None else maybe_sent)
    assert str(ours).startswith(sentence)
    assert "\n" not in str(ours)
    assert ours.__cause__ is ours.__context__ is None
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        assert "secret" not in repr(ours)


def made(kind):
    """An exception of that class with a secret in all of its texts."""
    for arguments in (
        ("secret",),
        (KEY, OSError(5, "Input/output error")),
        (INFO, ()),
        (b"secret", b"secret", "host.test", 443),
        (),
    ):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for _, kind in inspect.getmembers(aiohttp, inspect.isclass)
        if issubclass(kind, aiohttp.ClientError)
    ],
)
def test_no_exception_of_aiohttps_is_without_a_word_of_ours(kind):
    """Whatever aiohttp has or will have becomes one of our errors."""
    try:
        error = made(kind)
    except AttributeError:
        pytest.skip("not made like that")
    ours = translate(error, host="host.test", connect_s=1, written=True)
    assert isinstance(ours, errors.AltcraftBalanceError)
    assert "secret" not in repr(ours)


async def test_an_unknown_name_says_so(ask):
    """A name that is not known is told by name, and nothing was sent."""
    from altcraft_balance.transport.port import SendFailed

    asker = await ask("https://no-such-host.test/x")
    with pytest.raises(SendFailed) as caught:
        await asker.send()
    error = caught.value.error
    assert str(error).startswith("the name of no-such-host.test is not known: ")
    assert (error.kind, error.transient, error.maybe_sent) == ("connection_failed", True, False)


async def test_a_closed_port_says_so(ask):
    """A refused connection is told with the system's word."""
    from altcraft_balance.transport.port import SendFailed

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{sock.getsockname()[1]}"
        asker = await ask(f"http://{host}")
        with pytest.raises(SendFailed) as caught:
            await asker.send()
    assert str(caught.value.error).startswith(f"no connection to {host}: Connect call failed")
    assert (caught.value.error.maybe_sent, caught.value.reused) == (False, False)
