"""The TLS context: what the files must be, what it verifies, and where it is built."""

import contextlib
import ssl
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.transport import tls
from altcraft_balance.transport.port import SendFailed


async def test_an_encrypted_key_is_refused_with_a_sentence(authority, tmp_path):
    """OpenSSL would ask for the passphrase on the terminal; we say what to do."""
    cert = authority.issue("client")
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    path = tmp_path / "locked.pem"
    path.write_bytes(locked + cert.cert_chain_pems[0].bytes())
    with pytest.raises(ConfigurationError, match="the key is encrypted") as caught:
        await tls.build_context(ca_file=None, client_cert=str(path))
    assert "client_cert cannot be used" in str(caught.value)


async def test_files_that_are_not_what_they_should_be(authority, stranger, tmp_path):
    """Missing, empty, garbage, a folder, a key of another: one ConfigurationError each."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\x00garbage")
    empty = tmp_path / "empty.pem"
    empty.touch()
    cert, other = authority.issue("a"), stranger.issue("b")
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    cert.cert_chain_pems[0].write_to_path(files[0])
    other.private_key_pem.write_to_path(files[1])
    for path in (str(tmp_path / "none.pem"), str(garbage), str(empty), str(tmp_path), "nul\0l"):
        with pytest.raises(ConfigurationError, match=r"^ca_file .* cannot be used: ."):
            await tls.build_context(ca_file=path, client_cert=None)
        with pytest.raises(ConfigurationError, match=r"^client_cert cannot be used: ."):
            await tls.build_context(ca_file=authority.file, client_cert=path)
    with pytest.raises(ConfigurationError, match="client_cert"):
        await tls.build_context(ca_file=None, client_cert=tuple(files))


async def test_a_bad_file_is_told_when_opening(tools, stack):
    """Opening a transport says so, and leaves nothing to close."""
    asker = tools.Asker("https://127.0.0.1:9", ca_file="/no/such/file")
    with pytest.raises(ConfigurationError, match="ca_file /no/such/file cannot be used"):
        await asker.open()


@pytest.mark.parametrize(
    ("lane", "proxy"),
    [("aiohttp", None), ("aiohttp", "http://127.0.0.1:9"), ("direct", None)],
)
async def test_the_context_is_built_off_the_loop(monkeypatch, ask, proxy):
    """Reading the system's authorities happens in another thread, once."""
    real, threads = tls._build, []

    def build(*args):
        threads.append(threading.get_ident())
        return real(*args)

    monkeypatch.setattr(tls, "_build", build)
    await ask("https://127.0.0.1:9", proxy=proxy)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_plain_http_needs_no_context(monkeypatch, ask):
    """Where there is no TLS, no authorities are read."""
    monkeypatch.setattr(tls, "_build", None)
    with contextlib.suppress(SendFailed):
        await (await ask("http://127.0.0.1:9")).send(limit_s=1)


async def test_a_verifying_context():
    """Certificates and names are checked, and TLS is 1.2 or newer."""
    context = await tls.build_context(ca_file=None, client_cert=None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_tls_1_2_is_the_floor():
    """Also where the system's own floor is lower."""
    context = await tls.build_context(ca_file=None, client_cert=None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
