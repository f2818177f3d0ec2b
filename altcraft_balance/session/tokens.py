"""The token in force, and the request encoder that was prepared with it.

A file is looked at once a second at most, read again when it changed and once after a 401; a
callable is asked at the start and after a 401. Many lookups that meet the same 401 bring about
one reading.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.settings import ClientSettings, TokenSource

__all__ = ["Tokens", "revealed", "revealed_from"]

_LOOK_EVERY_S: Final = 1.0


class Tokens:
    """Keeps the encoder for the token in force.

    Args:
        settings: the token's source, and what else a request is prepared from.
        reloaded: is called when another token came into force.
        clock: a monotonic clock, in seconds.

    Attributes:
        current: the encoder for the token in force.
        may_change: whether `is_look_due` may say yes.
    """

    current: RequestEncoder

    def __init__(
        self,
        settings: ClientSettings,
        *,
        reloaded: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._reloaded, self._clock = settings, reloaded, clock
        self._path = settings.token.path if isinstance(settings.token, Secret) else None
        self.may_change = self._path is not None
        self._stamp: tuple[int, int, int] | None = None
        self._look_at = 0.0
        self._readings = 0

    async def open(self) -> None:
        """Get the first token.

        Raises:
            ConfigurationError: there is none, or it cannot be sent.
        """
        self._lock = asyncio.Lock()
        self._stamp = await self._stamped()
        self._use(await revealed_from(self._settings.token))

    async def encoder(self) -> RequestEncoder:
        """The same, after a look at the token's file if it is time for one."""
        if self.is_look_due():
            await self._look()
        return self.current

    def is_look_due(self) -> bool:
        """Whether it is time to look whether the token's file has changed."""
        return self._path is not None and self._clock() >= self._look_at

    async def renewed(self, refused: HiddenStr) -> bool:
        """Whether there is another token than the one that was `refused`; the source is asked."""
        readings = self._readings
        async with self._lock:
            if self.current.token == refused and self._readings == readings:
                await self._reload()
            return self.current.token != refused

    async def _look(self) -> None:
        self._look_at = self._clock() + _LOOK_EVERY_S
        stamp = await self._stamped()
        if stamp is not None and stamp != self._stamp:
            async with self._lock:
                if await self._reload():
                    self._stamp = stamp

    async def _reload(self) -> bool:
        """Ask the source; whether it had a token."""
        found = True
        try:
            token = await revealed_from(self._settings.token)
            if token != self.current.token:
                self._use(token)
                self._reloaded()
        except ConfigurationError:
            found = False  # the file may be in the middle of its replacement: the old one stays
        self._readings += 1
        return found

    async def _stamped(self) -> tuple[int, int, int] | None:
        return None if self._path is None else await asyncio.to_thread(_stamp, self._path)

    def _use(self, token: HiddenStr) -> None:
        settings = self._settings
        self.current = RequestEncoder(
            token,
            loyalty_program_id=settings.loyalty_program_id,
            currency=settings.currency,
            format=settings.format,
            auth=settings.auth,
            headers=dict(settings.headers),
        )


def _stamp(path: str) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; None when it is not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 - what is compared are its numbers
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


async def revealed_from(source: TokenSource) -> HiddenStr:
    """The token that `source` has now.

    Raises:
        ConfigurationError: it has none, or one that cannot be sent.
    """
    if isinstance(source, Secret):
        return await revealed(source)
    return Secret(await _called(source)).reveal()


async def revealed(secret: Secret) -> HiddenStr:
    """Its value; a file is read in a thread, which costs more than a variable and a value do."""
    if secret.path is not None:
        return await asyncio.to_thread(secret.reveal)
    return secret.reveal()


async def _called(source: Callable[[], Awaitable[str]]) -> str:
    trouble = ""
    try:
        return await source()
    except AltcraftBalanceError:
        raise
    except Exception as error:  # noqa: BLE001 - the caller's own code may raise anything
        trouble = type(error).__name__
    raise ConfigurationError(f"the token callable raised {trouble}")
