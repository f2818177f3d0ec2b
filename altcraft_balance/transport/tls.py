"""The TLS context: built once, off the loop, since reading the system's authorities takes 24 ms."""

from __future__ import annotations

import asyncio
import ssl

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.settings import CertificateFiles, ClientSettings, Path
from altcraft_balance.transport.tls_records import record_by_record

__all__ = ["build_context", "context_of"]


async def context_of(settings: ClientSettings) -> ssl.SSLContext:
    """The user's own context, or one that is made of his files.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    context = settings.ssl_context or await build_context(
        ca_file=settings.ca_file, client_cert=settings.client_cert
    )
    record_by_record(context)
    return context


async def build_context(
    *,
    ca_file: Path | None,
    client_cert: CertificateFiles | None,
) -> ssl.SSLContext:
    """A verifying context of TLS 1.2 and newer.

    Args:
        ca_file: trust these authorities instead of the system's.
        client_cert: a PEM file with certificate and key, or the two files.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    return await asyncio.to_thread(_build, ca_file, client_cert)


def _build(ca_file: Path | None, client_cert: CertificateFiles | None) -> ssl.SSLContext:
    what = f"ca_file {ca_file}"
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        what = "client_cert"
        if client_cert is not None:
            cert, key = client_cert if isinstance(client_cert, tuple) else (client_cert, None)
            context.load_cert_chain(cert, key, password=_no_password)
        return context
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        trouble = _trouble(error)
    raise ConfigurationError(f"{what} cannot be used: {trouble}")


def _trouble(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it is no PEM file with a certificate, and for client_cert its key"
    return getattr(error, "strerror", None) or str(error)


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal, and hang where there is none.
    raise ValueError("the key is encrypted: give one without a passphrase")
