"""A platform in memory, and clients that are wired to it; the clock is virtual.

On the virtual loop time jumps as soon as nothing can run, so a sleep costs nothing, and a test
that waits for what never comes fails instead of hanging.
"""

import asyncio
import json
import random
from collections import deque
from contextlib import asynccontextmanager

import async_solipsism
import pytest
from attrs import field, frozen

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import (
    AltcraftBalanceError,
    AttemptTimeout,
    ClientClosed,
    ConnectionFailed,
)
from altcraft_balance.models import ByEmail
from altcraft_balance.session.session import Session
from altcraft_balance.settings import ClientSettings, Limits, RetryPolicy, Timeouts
from altcraft_balance.transport.port import RawReply, SendFailed
from altcraft_balance.transport.scope import Scope

TOKEN = "t0p-s3cret-canary"
URL = "https://altcraft.example"


def virtual_loop():
    """Not in asyncio's debug mode, ten times slower: that is for the tests on real loops."""
    loop = async_solipsism.EventLoop()
    loop.set_debug(False)
    return loop


def pytest_asyncio_loop_factories():
    """Every async test runs on a loop whose time is virtual."""
    return {"virtual": virtual_loop}


# ── what the platform answers ────────────────────────────────────────────────────────────────


def ok(total="1000.00", active="800.50", **headers):
    """A balance."""
    data = {"total_balance": total, "active_balance": active}
    body = json.dumps({"error": 0, "error_text": "Successful operation", "data": data})
    return RawReply(200, {k.replace("_", "-"): v for k, v in headers.items()}, body.encode())


def api(code, text="", status=200, **headers):
    """An application error in the envelope."""
    body = json.dumps({"error": code, "error_text": text}).encode()
    return RawReply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def http(status, reused=False, **headers):
    """A status without an envelope."""
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return RawReply(status, headers, b"<html>a gateway</html>", reused)


def throttled(seconds):
    """A request for a pause."""
    return http(429, retry_after=str(seconds))


def broken(reused=False):
    """A connection that broke after the request had been written."""
    return SendFailed(ConnectionFailed("it broke", maybe_sent=True), reused=reused)


def unreachable():
    """No connection at all."""
    return SendFailed(ConnectionFailed("nobody listens"))


@frozen
class Slow:
    """`then`, after so many seconds."""

    seconds: float
    then: object = field(factory=ok)


# ── the wire ─────────────────────────────────────────────────────────────────────────────────


@frozen
class Sent:
    """One request as it went out."""

    number: int
    body: bytes
    headers: dict
    limit_s: float
    fresh: bool
    at: float

    @property
    def email(self):
        return json.loads(self.body)["email"]

    @property
    def token(self):
        return json.loads(self.body)["token"]


class Cut(Exception):
    """The transport was closed under a request."""


class Wire:
    """Fits the transport's port: answers by script, then by `answer`; holds, and remembers.

    Attributes:
        script: replies (or `Slow`, or exceptions) for the next requests.
        answer: gives the reply to a request when the script is over.
        sent: all requests.
        out: how many are on the wire now, and `most_out` at once so far.
        late_s: by how much it notices an attempt's limit too late.
    """

    def __init__(self):
        self.script, self.answer = deque(), lambda sent: ok()
        self.sent, self.out, self.most_out = [], 0, 0
        self.warmed, self.closed, self.open_error = None, 0, None
        self.reused_when_cut, self.late_s = False, 0
        self._gate, self._scopes = None, set()

    def hold(self):
        """Keep requests on the wire until `release`."""
        self._gate = asyncio.Event()

    def release(self):
        gate, self._gate = self._gate, None
        gate.set()

    @property
    def emails(self):
        return [sent.email for sent in self.sent]

    async def open(self, *, warm=0):
        await asyncio.sleep(0)
        self.warmed = warm
        if self.open_error is not None:
            raise self.open_error

    async def aclose(self):
        self.closed += 1
        for scope in list(self._scopes):
            scope.cancel()
        await asyncio.sleep(0)

    async def send(self, body, headers, *, limit_s, fresh=False):
        if self.closed:
            raise RuntimeError("Session is closed")  # as aiohttp has it
        now = asyncio.get_running_loop().time()
        sent = Sent(len(self.sent), bytes(body), dict(headers), limit_s, fresh, now)
        self.sent.append(sent)
        self.out += 1
        self.most_out = max(self.most_out, self.out)
        scope = Scope(Cut)
        try:
            with scope:
                self._scopes.add(scope)
                async with asyncio.timeout(limit_s + self.late_s):
                    reply = await self._reply(sent)
        except TimeoutError:
            reply = SendFailed(AttemptTimeout("no whole reply", maybe_sent=True))
        except Cut:
            closed = ConnectionFailed("the client was closed meanwhile", maybe_sent=True)
            reply = SendFailed(closed, reused=self.reused_when_cut)
        finally:
            self.out -= 1
            self._scopes.discard(scope)
        if isinstance(reply, AltcraftBalanceError):
            raise SendFailed(reply)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def _reply(self, sent):
        reply = self.script.popleft() if self.script else self.answer(sent)
        await asyncio.sleep(0)
        if self._gate is not None:
            await self._gate.wait()
        if isinstance(reply, Slow):
            await asyncio.sleep(reply.seconds)
            return reply.then
        return reply


# ── clients ──────────────────────────────────────────────────────────────────────────────────


class Draws(random.Random):
    """Jitter that always draws the same."""

    def __init__(self, draw):
        super().__init__(0)
        self.draw = draw

    def random(self):
        return self.draw


def make_settings(wire, *, concurrency=4, max_attempts=6, deadline_s=30.0, **further):
    attempt_s = further.pop("attempt_s", 10.0)
    item_deadline_s = further.pop("item_deadline_s", None)
    return {
        "base_url": URL,
        "token": TOKEN,
        "loyalty_program_id": 123,
        "transport": wire,
        "retry": RetryPolicy(max_attempts=max_attempts),
        "limits": Limits(concurrency=concurrency),
        "timeouts": Timeouts(
            attempt_s=attempt_s, deadline_s=deadline_s, item_deadline_s=item_deadline_s
        ),
        **further,
    }


def make_client(wire, *, draw=1.0, on_event=None, **further):
    """A client on `wire`; `draw` is every draw of its jitter."""
    client = BalanceClient(**make_settings(wire, **further), on_event=on_event)
    client._session.rng = Draws(draw)
    return client


def make_session(wire, *, draw=1.0, on_event=None, **further):
    settings = ClientSettings(**make_settings(wire, **further))
    return Session(settings, lambda _: wire, on_event=on_event, rng=Draws(draw))


@asynccontextmanager
async def opened(wire, **further):
    """An open client, of which nothing may be left when it is closed."""
    before = asyncio.all_tasks()
    async with make_client(wire, **further) as client:
        yield client
        assert_idle(client)
    assert asyncio.all_tasks() <= before


def assert_idle(client):
    """No slot is taken, no lookup is under way, nothing is on the wire."""
    stats, session = client.stats(), client._session
    assert (stats.in_progress, stats.slots_in_use, session.transport.out) == (0, 0, 0)
    assert not stats.waiting
    assert session.traffic.breaker.state.value != "probing"
    assert not session.brake._waiting


async def settle():
    """Let everything run until all wait for a time or a gate."""
    await asyncio.sleep(0.0001)


def now():
    """The virtual time."""
    return asyncio.get_running_loop().time()


def member(number):
    return ByEmail(f"member-{number}@example.com")


def members(count):
    return [member(number) for number in range(count)]


def number_of(query):
    """The number that `member` was made with."""
    return int(query.matching.email.split("-")[1].split("@")[0])


@pytest.fixture
def wire():
    """A platform in memory."""
    return Wire()


# ── a cancel at every turn ───────────────────────────────────────────────────────────────────


class TurningLoop(async_solipsism.EventLoop):
    """Counts its turns, and cancels a task after the one that it was told."""

    turns, cancel_after, victim = 0, None, None

    def _run_once(self):
        super()._run_once()
        if self.victim is not None:
            self.turns += 1
            if self.turns == self.cancel_after:
                self.victim.cancel()


def cancelled_at_every_turn(scenario, afterwards, **settings):
    """Run `scenario` again and again, cancelled one turn later each time; how often that was.

    Both are given a new wire and an open client; `afterwards` sees to it that nothing is left.
    """

    async def main(turn):
        loop, wire = asyncio.get_running_loop(), Wire()
        async with make_client(wire, concurrency=2, **settings) as client:
            before = asyncio.all_tasks()
            loop.cancel_after = turn
            loop.victim = asyncio.create_task(scenario(wire, client))
            await asyncio.wait([loop.victim])
            was_cancelled = loop.victim.cancelled()
            if not was_cancelled:
                loop.victim.result()
            assert asyncio.all_tasks() <= before, f"turn {turn} left a task behind"
            assert_idle(client)
            await afterwards(wire, client)
        return was_cancelled

    turn = 0
    while True:
        turn += 1
        # In debug mode it takes three times as long.
        with asyncio.Runner(debug=False, loop_factory=TurningLoop) as runner:
            if not runner.run(main(turn)):
                return turn - 1


async def used(client):
    """The sentences with which the three ways of asking refuse."""
    sentences = set()
    for ask in (lambda: client.get_balance(member(0)), lambda: client.get_balances([member(0)])):
        with pytest.raises(ClientClosed) as caught:
            await ask()
        sentences.add(str(caught.value))
    with pytest.raises(ClientClosed) as caught:
        client.stream_balances([member(0)])
    sentences.add(str(caught.value))
    [sentence] = sentences
    return sentence
