"""The way to the server: its name, a connection, TLS."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from altcraft_balance.doctor.finding import Finding, skipped
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.settings import ClientSettings
from altcraft_balance.transport.tls import context_of
from altcraft_balance.transport.trouble import reason_of, tls_reason

__all__ = ["check_network", "days_left", "proxy_of", "speaks_tls"]

#: With fewer days left a certificate's owner should know.
_FEW_DAYS: Final = 14
_DAY_S: Final = 86_400
_TLS_ADVICE: Final = (
    ("expired", "the server's certificate has run out: tell whoever runs it; check this clock"),
    ("self", "give the authority that signed it: --ca-file PATH (ALTCRAFT_CA_FILE)"),
    ("unable to get", "give the authority that signed it: --ca-file PATH (ALTCRAFT_CA_FILE)"),
    ("mismatch", "the certificate is another host's: correct --base-url"),
    ("not valid for", "the certificate is another host's: correct --base-url"),
    (
        "plain http",
        "the server speaks plain http there: correct the port in --base-url, or write http://",
    ),
    ("certificate required", "the server wants a certificate: --client-cert PATH"),
)


async def check_network(settings: ClientSettings) -> AsyncIterator[Finding]:
    """Name, connection and TLS, each if the one before it was in order."""
    if (proxy := await asyncio.to_thread(proxy_of, settings)) is not None:
        async for finding in _check_proxy(urlsplit(proxy)):
            yield finding
        return
    place, limit_s = urlsplit(settings.url), settings.timeouts.connect_s
    for check in (_dns, _tcp):
        finding = await check(place, limit_s)
        yield finding
        if finding.state == "failed":
            return
    yield await _tls(place, limit_s, settings)


def proxy_of(settings: ClientSettings) -> str | None:
    """The proxy that a lookup goes through, the environment's where that is asked for."""
    if settings.proxy is not None or not settings.trust_env:
        return settings.proxy
    place = urlsplit(settings.url)
    if proxy_bypass(place.hostname or ""):
        return None
    return getproxies().get(place.scheme)


async def _check_proxy(proxy: SplitResult) -> AsyncIterator[Finding]:
    yield skipped("dns", "the proxy looks the server's name up")
    yield await _tcp(proxy, 3.0, "the proxy")
    yield skipped("tls", "seen with the lookup, since a proxy stands between")


def _port(place: SplitResult) -> int:
    return place.port or (443 if place.scheme == "https" else 80)


async def _dns(place: SplitResult, limit_s: float) -> Finding:
    host, began = place.hostname or "", time.monotonic()
    resolve = asyncio.get_running_loop().getaddrinfo
    found, trouble = None, ""
    try:
        async with asyncio.timeout(limit_s):
            found = await resolve(host, _port(place), type=socket.SOCK_STREAM)
    except TimeoutError:
        trouble = f"no answer within {limit_s:g} s"
    except (OSError, UnicodeError) as error:
        trouble = reason_of(error)
    if found is None:
        return Finding(
            check="dns",
            state="failed",
            says=f"the name {host} is not known: {trouble}",
            advice="check the host in --base-url (cloud accounts: ru.altkraft.com, with a k), "
            "and this machine's name servers",
        )
    addresses = list(dict.fromkeys(address[0] for *_, address in found))
    return Finding(check="dns", says=f"{host} is {', '.join(map(str, addresses))}{_took(began)}")


async def _tcp(place: SplitResult, limit_s: float, who: str = "") -> Finding:
    where, began = f"{place.hostname}:{_port(place)}", time.monotonic()
    opened, trouble = await _opened(place, limit_s)
    if opened is None:
        return Finding(
            check="tcp",
            state="failed",
            says=f"no connection to {who or where}: {trouble}",
            advice="check host and port; a firewall may want this machine's address allowed, "
            "or a proxy (--proxy)",
        )
    return Finding(check="tcp", says=f"{who or where} accepts connections{_took(began)}")


async def _opened(
    place: SplitResult, limit_s: float, **tls: Any
) -> tuple[dict[str, Any] | None, str]:
    """What is known of a connection that was made, and closed; or why there is none.

    Raises:
        ssl.SSLError: TLS was refused.
    """
    writer, trouble = None, ""
    try:
        async with asyncio.timeout(limit_s):
            _, writer = await asyncio.open_connection(place.hostname, _port(place), **tls)
    except TimeoutError:
        trouble = f"no answer within {limit_s:g} s"
    except ssl.SSLError:
        raise
    except OSError as error:  # asyncio's words name addresses, the system's the trouble
        trouble = os.strerror(error.errno) if error.errno else reason_of(error)
    if writer is None:
        return None, trouble
    speaks = writer.get_extra_info("ssl_object")
    known = {} if speaks is None else {**(speaks.getpeercert() or {}), "tls": speaks.version()}
    writer.transport.abort()  # a server that waits for a request is not kept waiting
    with suppress(OSError):
        await writer.wait_closed()
    return known, ""


async def _tls(place: SplitResult, limit_s: float, settings: ClientSettings) -> Finding:
    if place.scheme == "http":
        if _is_here(place.hostname or ""):
            return skipped("tls", "plain http, which does not leave this machine")
        says = "plain http: whoever is on the way reads the token"
        return Finding(check="tls", state="warning", says=says, advice="use https in --base-url")
    trouble: str | None
    try:
        context = await context_of(settings)
    except ConfigurationError as error:
        return Finding(check="tls", state="failed", says=str(error), error=error)
    try:
        known, trouble = await _opened(place, limit_s, ssl=context)
    except ssl.SSLError as error:
        known, trouble = None, tls_reason(error) or "the server hung up"
    if known is None:
        return Finding(check="tls", state="failed", says=trouble, advice=_advice(trouble))
    return _of_certificate(known)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def speaks_tls(settings: ClientSettings) -> bool:
    """Whether a server that is asked by plain http would speak TLS on that port."""
    place = urlsplit(settings.url)
    if place.scheme != "http" or await asyncio.to_thread(proxy_of, settings) is not None:
        return False
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nothing is sent to whoever it is
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with suppress(ssl.SSLError):
        return (await _opened(place, settings.timeouts.connect_s, ssl=anybody))[0] is not None
    return False


def _of_certificate(known: dict[str, Any]) -> Finding:
    days = days_left(known, lambda: datetime.now(UTC))
    says = f"{known['tls']}; the certificate is good for {days} days more"
    if days is None:  # a context of the user's own that verifies nothing
        advice = "let ssl_context verify, or leave it out and give --ca-file"
        says = f"{known['tls']}; the certificate is not verified"
        return Finding(check="tls", state="warning", says=says, advice=advice)
    if days < _FEW_DAYS:
        advice = "tell whoever runs the server that it is to be renewed"
        return Finding(check="tls", state="warning", says=says, advice=advice)
    return Finding(check="tls", says=says)


def days_left(certificate: dict[str, Any], now: Callable[[], datetime]) -> int | None:
    """Whole days until it runs out; None when there is no verified one."""
    if "notAfter" not in certificate:
        return None
    until_s = ssl.cert_time_to_seconds(certificate["notAfter"])
    return int((until_s - now().timestamp()) // _DAY_S)


def _advice(trouble: str) -> str:
    for words, advice in _TLS_ADVICE:
        if words in trouble.lower():
            return advice
    return "look at the server's certificate, and at what stands between"


def _took(began: float) -> str:
    return f" ({(time.monotonic() - began) * 1000:.0f} ms)"
