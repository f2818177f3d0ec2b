"""FastStream's consumers: the client as a dependency, open as long as the program; `[faststream]`.

    app = FastStream(broker, lifespan=balances_lifespan())

    @broker.subscriber("members")
    async def look_up(event: Event, balances: Balances): ...

The client opens before the broker delivers anything and closes when the last handler has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, Final, Protocol, TypeAlias

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError

try:
    from faststream import Context, ContextRepo
    from faststream.exceptions import StopApplication
except ImportError:
    missing = True
else:
    missing = False
if missing:
    raise ConfigurationError(
        "this module needs the extra 'faststream': "
        "python -m pip install 'altcraft-balance[faststream]'"
    )

__all__ = ["Balances", "balances_lifespan", "pause_while_stopped", "stop_for"]

_NAME: Final = "altcraft_balances"
_LEAST_S: Final = 0.05

#: A handler's parameter of this type is the open client.
Balances: TypeAlias = Annotated[BalanceClient, Context(_NAME)]


def balances_lifespan(
    make_client: Callable[[], BalanceClient] = BalanceClient.from_env,
) -> Callable[[ContextRepo], AbstractAsyncContextManager[None]]:
    """A lifespan for ``FastStream(broker, lifespan=...)``; `make_client` makes the client."""

    @asynccontextmanager
    async def lifespan(context: ContextRepo) -> AsyncIterator[None]:
        async with make_client() as client:
            context.set_global(_NAME, client)
            yield

    return lifespan


def stop_for(error: Exception) -> StopApplication:
    """What to raise in a handler to stop the whole program, with nothing acknowledged.

    For an error that every event would meet: ``raise stop_for(error) from error``.
    """
    stop = StopApplication(f"stopped: {error}")
    stop.code = 1
    return stop


class Pausable(Protocol):
    """A consumer of aiokafka."""

    def assignment(self) -> Collection[Any]: ...
    def paused(self) -> Collection[Any]: ...
    def pause(self, *partitions: Any) -> None: ...
    def resume(self, *partitions: Any) -> None: ...


def pause_while_stopped(client: BalanceClient, consumer: Pausable) -> bool:
    """Take nothing more from Kafka as long as the client may ask nothing; whether that is so.

    A paused consumer goes on polling, so the group keeps it, however long the server is away. It
    resumes by itself when the breaker, or the pause that the server asked for, lets one through.
    """
    wait_s = client.health().retry_after_s
    if not wait_s:
        return False
    consumer.pause(*consumer.assignment())
    asyncio.get_running_loop().call_later(max(wait_s, _LEAST_S), _resume, client, consumer)
    return True


def _resume(client: BalanceClient, consumer: Pausable) -> None:
    if client.health().state == "open" and not pause_while_stopped(client, consumer):
        consumer.resume(*consumer.paused())
