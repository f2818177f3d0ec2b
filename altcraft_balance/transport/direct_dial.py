"""New connections: the name, then its addresses in a race of IPv4 and IPv6, then TLS.

The name is resolved anew for every connection, except that connections which are opened at the
same time share what is under way. The race is RFC 8305's, by the package that aiohttp uses too.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from aiohappyeyeballs import start_connection
from yarl import URL

from altcraft_balance.errors import (
    AltcraftBalanceError,
    AttemptTimeout,
    ConfigurationError,
    ConnectionFailed,
    TlsRefused,
)
from altcraft_balance.transport.direct_connection import DirectConnection
from altcraft_balance.transport.look import Connect
from altcraft_balance.transport.port import SendFailed
from altcraft_balance.transport.trouble import reason_of, tls_reason

__all__ = ["Dialer"]

_RACE_DELAY_S: Final = 0.25


class Dialer:
    """Connects to one host.

    Args:
        url: whose host and port, and whose sentences.
        context: for TLS; None: plain.
        connect_s: seconds that all of it may take.
        connect: makes a connection in the place of all this.
    """

    def __init__(
        self, url: URL, context: ssl.SSLContext | None, connect_s: float, connect: Connect | None
    ) -> None:
        self._host, self._port = url.raw_host or "", url.port or 0
        self._named = url.host_port_subcomponent or ""
        self._context, self._connect_s = context, connect_s
        self._connect = connect or self._by_name
        self._resolving: asyncio.Task[list[Any]] | None = None

    async def dial(self, factory: Callable[[], DirectConnection]) -> DirectConnection:
        """A new connection.

        Raises:
            SendFailed: there is none to be had.
        """
        failure: Exception
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await self._connect(
                    factory, self._host, self._port, ssl=self._context
                )
            return connection  # type: ignore[no-any-return]
        except (OSError, ValueError, RuntimeError) as error:  # uvloop has RuntimeErrors for some
            failure = error
        raise SendFailed(self._failed(failure))

    async def aclose(self) -> None:
        """Wait for no name any longer."""
        if self._resolving is not None:
            self._resolving.cancel()
            await asyncio.wait([self._resolving])

    async def _by_name(
        self, factory: Callable[[], DirectConnection], host: str, port: int, **options: Any
    ) -> tuple[Any, Any]:
        addresses = _literal(host, port) or await self._addresses(host, port)
        sock = await start_connection(addresses, happy_eyeballs_delay=_RACE_DELAY_S)
        if options["ssl"] is not None:
            options["server_hostname"] = host.rstrip(".")
        loop = asyncio.get_running_loop()
        return await loop.create_connection(factory, sock=sock, **options)

    async def _addresses(self, host: str, port: int) -> list[Any]:
        if self._resolving is None or self._resolving.done():
            self._resolving = asyncio.create_task(_resolved(host, port))
            self._resolving.add_done_callback(_seen)
        # Whoever gives up, or is cancelled, leaves it to the others.
        return await asyncio.shield(self._resolving)

    def _failed(self, error: Exception) -> AltcraftBalanceError:
        if isinstance(error, TimeoutError) and error.errno is None:
            return AttemptTimeout(f"no connection to {self._named} within {self._connect_s:g} s")
        if (trouble := tls_reason(error)) is not None:
            return TlsRefused(f"TLS with {self._named} failed: {trouble}")
        if isinstance(error, socket.gaierror):
            return ConnectionFailed(f"the name of {self._host} is not known: {reason_of(error)}")
        if isinstance(error, ValueError):
            return ConfigurationError("base_url is not a URL that can be asked")
        return ConnectionFailed(f"no connection to {self._named}: {reason_of(error)}")


async def _resolved(host: str, port: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(found)


def _literal(host: str, port: int) -> list[Any]:
    """The one address that a host which is an address has: no thread is needed to find it."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return []
    if version == 4:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
    place = (host.partition("%")[0], port, 0, 0)
    if "%" in host:
        return []  # only the resolver knows the number of an interface
    return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]


def _seen(task: asyncio.Task[Any]) -> None:
    """Take note of a failure that nobody waited for."""
    if not task.cancelled():
        task.exception()
