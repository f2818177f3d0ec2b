"""Looking at a connection without reading from it: has anything arrived that nobody asked for?

Of TLS, the half of a record that has been read counts as well (`tls_records`).

`poll`, not `select`, which cannot look at descriptors from 1,024 on.
"""

from __future__ import annotations

import asyncio
import functools
import select
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from altcraft_balance.transport.tls_records import WholeRecords

__all__ = ["Connect", "Look", "has_arrived", "prepared", "settled"]

_MOST_TURNS: Final = 8

#: ``connect(protocol_factory, host, port, ssl=...)`` as `loop.create_connection` does it.
Connect: TypeAlias = Callable[..., Awaitable[tuple[Any, Any]]]
#: Whether anything has arrived on a transport that nobody has read yet.
Look: TypeAlias = Callable[[asyncio.Transport], bool]


def has_arrived(transport: asyncio.Transport) -> bool:
    """Whether there is something for this connection that nobody has read.

    The kernel holds bytes, its end, or an error; or TLS holds a part of a record.
    """
    if _holds_part(transport):
        return True
    socket = transport.get_extra_info("socket")
    if socket is None or socket.fileno() < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([socket], [], [], 0)[0])


def prepared(look: Look, transport: asyncio.Transport) -> Callable[[], object]:
    """`look` at this one transport, again and again; what comes out is true or not.

    To make a poll object and to tell it the descriptor costs more than to ask it, so that is
    done once. Only a transport that is still open may be looked at: its descriptor's number
    goes to somebody else afterwards.
    """
    socket = transport.get_extra_info("socket")
    if look is not has_arrived or socket is None or not hasattr(select, "poll"):
        return functools.partial(look, transport)
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    tls = transport.get_extra_info("ssl_object")
    if isinstance(tls, WholeRecords):
        return lambda: tls.unfinished or poll.poll(0)
    return functools.partial(poll.poll, 0)


def _holds_part(transport: asyncio.Transport) -> bool:
    tls = transport.get_extra_info("ssl_object")
    return isinstance(tls, WholeRecords) and bool(tls.unfinished)


async def settled(transport: asyncio.Transport, look: Look) -> bool:
    """Whether a new connection is still open, and silent once all that had come has been read.

    What the other end said first must be read before a request is written, or it would be taken
    for the answer. TLS has its tickets there as well, which are read with it; so while something
    lies in the kernel's buffer the loop turns. The protocol knows whether bytes came of it.
    """
    await _turns(2)  # asyncio wakes a task before it reads what came in that turn
    for _ in range(_MOST_TURNS):
        if transport.is_closing():
            await _turns(2)  # asyncio tells the reason up to two turns later
            return False
        if not look(transport):
            return True
        await _turns(1)
    return False


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
