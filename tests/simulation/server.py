"""The server of a simulation: the real `Sandbox` behind behaviours, on a network in memory.

aiohttp's own server parses the requests, the sandbox's desk answers them; before it stand the
scenario's behaviours, which see each request first.
"""

import asyncio
import re

from aiohttp import web
from attrs import define, field

from altcraft_balance.sandbox.connection import Connection
from tests.simulation.behaviours import Arrival, Page, Reset, Silence
from tests.simulation.pipe import OpenEnds, pair

_NUMBER = re.compile(rb"member-(\d+)@")


def number_in(body):
    """The number of the item that a request asks for."""
    return int(_NUMBER.search(body)[1])


@define
class Seen:
    """What the server saw.

    Attributes:
        arrivals: when each request came.
        answers: when each right answer was sent.
        pauses: from when until when each ``Retry-After`` holds.
        in_pause: requests that came while one held, as pairs of time and item.
    """

    arrivals: list = field(factory=list)
    answers: list = field(factory=list)
    pauses: list = field(factory=list)
    in_pause: list = field(factory=list)

    def came(self, now, item):
        self.arrivals.append(now)
        # What comes in the very moment of the reply may have left before it was read.
        if any(begins < now < ends for begins, ends in self.pauses[-100:]):
            self.in_pause.append((now, item))


class TracedConnection(Connection):
    """The sandbox's end of a connection, which tells what it sends."""

    def __init__(self, door):
        super().__init__(door, lambda _: None)
        self.door, self.item = door, None
        door.made += 1
        self.number = door.made

    def has_unread(self):
        return self.transport is not None and self.transport.has_unread()

    def send(self, data):
        if self.transport is not None:
            self.door.sent(self, data)
        super().send(data)

    def reset(self):
        self.door.tell(f"c{self.number}  -> reset")
        super().reset()

    def end(self):
        self.door.tell(f"c{self.number}  -> end")
        super().end()


class Door(web.Server):
    """What listens: makes connections, asks the behaviours, and lets the sandbox answer.

    Args:
        sandbox: whose desk answers; it need not be started.
        behaviours: are asked in their order.
        chance: the server's own source of randomness.
        tell: is told each line of the trace.
    """

    def __init__(self, sandbox, behaviours, chance, tell):
        super().__init__(self._serve, handler_cancellation=True)
        self._desk, self._behaviours, self.tell = sandbox._desk, behaviours, tell
        self._meet = [behaviour.begin(chance) for behaviour in behaviours]
        self._now = asyncio.get_running_loop().time
        self.seen, self.open_ends = Seen(), OpenEnds()
        self.made = self.under_way = 0

    def __call__(self):
        return TracedConnection(self)

    # ── connections ──────────────────────────────────────────────────────────────────────────

    async def connect(self, factory, host, port, **_):
        """In the place of `loop.create_connection`."""
        await asyncio.sleep(0)
        for behaviour in self._behaviours:
            how = behaviour.refuses(self._now())
            if how == "refused":
                self.tell("a connection is refused")
                raise ConnectionRefusedError("nobody listens")
            if how == "silent":
                self.tell("a connection is not accepted")
                await asyncio.Event().wait()
        ours, theirs = pair(self.open_ends)
        protocol = factory()
        ours.begin(self())
        theirs.begin(protocol)
        return theirs, protocol

    def change(self, what):
        """The server changes; what is open breaks when it goes down."""
        self.tell(f"is {what}")
        if what in {"down (refused)", "down (reset)"}:
            self.cut()

    def cut(self):
        """Break every connection."""
        for connection in list(self.connections):
            connection.abort()

    # ── requests ─────────────────────────────────────────────────────────────────────────────

    async def _serve(self, request):
        connection = request.protocol
        item = connection.item = number_in(await request.read())
        self.under_way += 1
        self.seen.came(self._now(), item)
        self.tell(f"c{connection.number} <-  item {item}  ({self.under_way} under way)")
        try:
            return await self._reply(request, connection)
        except asyncio.CancelledError:
            self.tell(f"c{connection.number}  x  item {item} is waited for no more")
            raise
        finally:
            self.under_way -= 1

    async def _reply(self, request, connection):
        arrival = Arrival(self._now(), connection.number, self.under_way, connection.item)
        delay_s, instead = 0.0, None
        for meet in self._meet:
            verdict = meet(arrival)
            delay_s, instead = delay_s + verdict.delay_s, verdict.instead
            if instead is not None:
                break
        if delay_s:
            await asyncio.sleep(delay_s)
        match instead:
            case Page(status=status, retry_after_s=pause_s):
                return self._page(connection, status, pause_s)
            case Reset():
                connection.reset()
                return self._desk._ends
            case Silence():
                await asyncio.Event().wait()
        return await self._desk.serve(request)

    def _page(self, connection, status, pause_s):
        wish = "" if pause_s is None else f"Retry-After: {pause_s}\r\n"
        head = f"HTTP/1.1 {status} {status}\r\n{wish}Content-Length: 0\r\n\r\n"
        connection.send(head.encode())
        return self._desk._goes_on

    def sent(self, connection, data):
        """Note what a reply says; called by the connection."""
        now, head = self._now(), data.partition(b"\r\n\r\n")[0].decode("latin-1")
        status = head[9:12]
        said = f"c{connection.number}  -> {status}  item {connection.item}"
        if asked := re.search(r"Retry-After: (\d+)", head):
            self.seen.pauses.append((now, now + int(asked[1])))
            said += f"  Retry-After {asked[1]} s"
        elif status == "200" and b"active_balance" in data:
            self.seen.answers.append(now)
        self.tell(said)
