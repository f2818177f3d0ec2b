"""FastStream's consumers: the client as a dependency, open as long as the program; `[faststream]`.

    app = FastStream(broker, lifespan=balances_lifespan())

    @broker.subscriber("members")
    async def look_up(event: Event, balances: Balances, stop: Stop): ...

The client opens before the broker delivers anything and closes when the last handler has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import Annotated, Any, Final, Protocol, TypeAlias

import orjson

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError

if find_spec("faststream") is None:
    raise ConfigurationError(
        "this module needs the extra 'faststream': "
        "python -m pip install 'altcraft-balance[faststream]'"
    )
from faststream import Context, ContextRepo
from faststream.exceptions import StopConsume

__all__ = ["Balances", "Stop", "any_event", "balances_lifespan", "pause_while_stopped"]

_CLIENT: Final = "altcraft_balances"
_STOP: Final = "altcraft_stop"
_LEAST_S: Final = 0.05


class Stopper:
    """Stops the whole program, with nothing acknowledged: ``raise stop(error) from error``.

    For an error that every event would meet, and for one after which a later acknowledgement
    would pass over events that were not dealt with. The program ends with exit code 1 and one
    sentence, so that whoever looks after it starts it again.
    """

    def __init__(self, context: ContextRepo) -> None:
        self._context = context
        self.error: BaseException | None = None

    def __call__(self, error: BaseException) -> StopConsume:
        """What to raise; the program ends when its handlers have."""
        self.error = self.error or error
        # Not by FastStream's own StopApplication: the subscriber that ends with it ends the task
        # in which it was to tell the program (0.7.8, with Kafka).
        if (app := self._context.get("app")) is not None:
            app.exit()
        return StopConsume()


#: A handler's parameter of this type is the open client.
Balances: TypeAlias = Annotated[BalanceClient, Context(_CLIENT)]
#: And of this one, what stops the program.
Stop: TypeAlias = Annotated[Stopper, Context(_STOP)]


async def any_event(message: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """A decoder for a subscriber: what is no JSON comes as it is, and does not fail its batch.

    FastStream fails it before the handler is called, which then cannot put the event aside; a
    later acknowledgement passes over it, or the broker delivers it again for ever. JSON is read
    whatever its content type says.
    """
    try:
        found = await original(message)
    except ValueError:
        found = message.body
    return [_read(one) for one in found] if isinstance(found, list) else _read(found)


def _read(body: Any) -> Any:
    if not isinstance(body, str | bytes):
        return body
    try:
        return orjson.loads(body)
    except ValueError:
        return body


def balances_lifespan(
    make_client: Callable[[], BalanceClient] = BalanceClient.from_env,
) -> Callable[[ContextRepo], AbstractAsyncContextManager[None]]:
    """A lifespan for ``FastStream(broker, lifespan=...)``; `make_client` makes the client.

    Raises:
        SystemExit: at the end, when a handler has stopped the program.
    """

    @asynccontextmanager
    async def lifespan(context: ContextRepo) -> AsyncIterator[None]:
        stopper = Stopper(context)
        async with make_client() as client:
            context.set_global(_CLIENT, client)
            context.set_global(_STOP, stopper)
            yield
        if stopper.error is not None:
            raise SystemExit(f"stopped: {stopper.error}")

    return lifespan


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
