"""Starting, stopping, scripting, the quota, and what is said about wrong settings."""

from __future__ import annotations

import asyncio
import gc
import socket

import aiohttp
import async_solipsism
import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import BalanceQuery, ByEmail, CurrencyEid
from altcraft_balance.sandbox import PointsCurrency, Sandbox
from altcraft_balance.sandbox.quota import Quota
from altcraft_balance.secret import Secret

USER = ByEmail("user@example.com")


# ── scripted replies ─────────────────────────────────────────────────────────────────────────


async def test_scripted_for_one(sandbox, wire, fields):
    """A raw reply is sent to that member as it was given, and to nobody else."""
    sandbox.answer(USER, status=418, body=b"tea", headers={"X-Pot": "1"})
    reply = await wire.ask(fields)
    assert (reply.status, reply.body) == (418, b"tea")
    assert reply.headers == {"X-Pot": "1", "Content-Length": "3"}
    assert (await wire.ask({**fields, "email": "other@example.com"})).code == 0
    assert sandbox.counts == {"scripted": 1, "ok": 1}


async def test_scripted_order(sandbox, wire, fields):
    """Counted replies come first and in order, then the lasting one; a member's before all's."""
    sandbox.answer(None, status=500)
    sandbox.answer(USER, status=501)
    sandbox.answer(USER, status=502, times=2)
    sandbox.answer(USER, status=503, times=1)
    seen = [(await wire.ask(fields)).status for _ in range(5)]
    assert seen == [502, 502, 503, 501, 501]
    assert (await wire.ask(b"no JSON")).status == 500


async def test_scripted_runs_out(sandbox, wire, fields):
    """When the counted replies are used up the right answer is back."""
    sandbox.answer(None, status=503, headers={"Retry-After": "1"}, times=1)
    assert (await wire.ask(fields)).headers["Retry-After"] == "1"
    assert (await wire.ask(fields)).code == 0


async def test_scripted_scope(sandbox, wire, fields):
    """A reply for a query that names a program and a currency is for these only."""
    stars = BalanceQuery(USER, loyalty_program_id=123, currency=CurrencyEid("starts"))
    sandbox.answer(stars, status=500)
    sandbox.answer(stars, status=501, times=1)
    assert (await wire.ask(fields)).status == 200
    named = {**fields, "points_currency_eid": "starts"}
    assert [(await wire.ask(named)).status for _ in range(2)] == [501, 500]


async def test_scripted_length(sandbox, wire, fields):
    """A Content-Length that is not the body's is sent as given, and the connection ends."""
    sandbox.answer(USER, body=b"{}", headers={"content-length": "9"})
    wire.send(fields)
    assert (await wire.reader.read()).endswith(b"content-length: 9\r\n\r\n{}")


async def test_scripted_close(sandbox, wire, fields):
    """A reply that announces the connection's end is followed by it."""
    sandbox.answer(USER, status=299, headers={"Connection": "close"})
    assert (await wire.ask(fields)).status == 299
    assert await wire.reader.read() == b""


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ({"status": 100}, "status must be an integer from 200 to 599, not 100"),
        ({"status": "200"}, "status must be an integer from 200 to 599, not '200'"),
        ({"body": "text"}, "body must be bytes, not str"),
        ({"headers": {"A": "b\r\nc"}}, "header 'A' must be printable text on one line"),
        ({"times": 0}, "times must be an integer from 1 or None, not 0"),
    ],
)
def test_wrong_scripts(script, sentence):
    """A reply that cannot be sent is refused in one sentence."""
    with pytest.raises(ConfigurationError) as caught:
        Sandbox().answer(USER, **script)
    assert str(caught.value) == sentence


# ── quota and delays ─────────────────────────────────────────────────────────────────────────


async def test_quota(connect, fields):
    """Over the quota comes HTTP 429 with Retry-After."""
    async with Sandbox(rate_per_s=0.001, burst=2, retry_after_s=3) as sandbox:
        wire = await connect(sandbox)
        replies = [await wire.ask(fields) for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert replies[2].headers["Retry-After"] == "3"
        assert sandbox.counts == {"ok": 2, "quota": 1}


def test_quota_fills_with_time():
    """Tokens come back at the rate, up to the burst and no further."""
    quota = Quota(10.0, 2.0)
    assert [quota.take(0.0) for _ in range(3)] == [True, True, False]
    assert [quota.take(0.1) for _ in range(2)] == [True, False]
    assert [quota.take(100.0) for _ in range(3)] == [True, True, False]


async def test_delays(connect, fields):
    """latency_s is waited before every reply, with jitter_s on top."""
    async with Sandbox(latency_s=0.01, jitter_s=0.001) as sandbox:
        wire = await connect(sandbox)
        before = asyncio.get_running_loop().time()
        assert (await wire.ask(fields)).code == 0
        assert asyncio.get_running_loop().time() - before >= 0.009


# ── settings ─────────────────────────────────────────────────────────────────────────────────

WRONG_SETTINGS = [
    ({"faults": "rest=0.1"}, "unknown fault 'rest': known are latency, reset_before,"),
    ({"faults": {"reset": 1.5}}, "the rate of fault 'reset' must be from 0 to 1, not 1.5"),
    ({"faults": {"reset": True}}, "the rate of fault 'reset' must be from 0 to 1, not True"),
    ({"faults": "reset=nan"}, "the rate of fault 'reset' must be from 0 to 1, not nan"),
    ({"faults": "reset=0.6,html=0.6"}, "the faults' rates add up to 1.2: 1 is the most"),
    ({"faults": "reset"}, "faults are written name=rate, such as reset=0.05, not 'reset'"),
    ({"faults": "reset=0.1,reset=0.1"}, "fault 'reset' stands twice"),
    ({"token": ""}, "the token is empty or not set"),
    ({"port": 70000}, "port must be an integer from 0 to 65535, not 70000"),
    ({"latency_s": -1}, "latency_s must be a number of seconds from 0, not -1"),
    ({"jitter_s": "1"}, "jitter_s must be a number of seconds from 0, not '1'"),
    ({"slow_s": float("inf")}, "slow_s must be a number of seconds from 0, not inf"),
    ({"rate_per_s": 0}, "rate_per_s must be a number greater than 0, or None, not 0"),
    ({"burst": 0.5}, "burst must be a number from 1, or None, not 0.5"),
    ({"retry_after_s": 0.5}, "retry_after_s must be an integer from 0 to 86400, not 0.5"),
    ({"error_status": "200"}, "error_status must be 'ok' or 'envelope', not '200'"),
    ({"programs": {}}, "programs must map program ids to currencies"),
    ({"programs": {"1": []}}, "a program's id must be an integer from 1, not '1'"),
    ({"programs": {1: []}}, "program 1 needs a list of PointsCurrency(...)"),
    ({"programs": {1: ["stars"]}}, "program 1 needs a list of PointsCurrency(...)"),
    (
        {"programs": {1: [PointsCurrency(iid=1), PointsCurrency(iid=1, eid="a")]}},
        "program 1 has two currencies with one id",
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), WRONG_SETTINGS)
def test_wrong_settings(settings, sentence):
    """A wrong setting is named in one sentence."""
    with pytest.raises(ConfigurationError) as caught:
        Sandbox(**settings)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ({}, "a currency needs an id"),
        ({"iid": 0}, "a currency's iid must be an integer from 1, not 0"),
        ({"iid": True}, "a currency's iid must be an integer from 1, not True"),
        ({"eid": ""}, "a currency's eid must be text, not ''"),
    ],
)
def test_wrong_currencies(ids, sentence):
    """A currency without a usable id is refused."""
    with pytest.raises(ConfigurationError, match=sentence):
        PointsCurrency(**ids)


@pytest.mark.parametrize("faults", [None, "", " , ", {}, "reset = 0", {"reset": 0}])
async def test_no_faults(connect, fields, faults):
    """No faults can be said in several ways."""
    async with Sandbox(faults=faults, token=Secret("sandbox-token")) as sandbox:
        assert (await (await connect(sandbox)).ask(fields)).code == 0


# ── start and stop ───────────────────────────────────────────────────────────────────────────


async def test_port_in_use(sandbox):
    """A port that is taken is named, with what to do."""
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(ConfigurationError) as caught:
        await Sandbox(port=port).start()
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is in use: stop what listens there, or take another port"
    )


async def test_foreign_host():
    """A host that is not this machine's cannot be listened on."""
    with pytest.raises(ConfigurationError, match=r"port 0 on 192\.0\.2\.1 cannot be listened on"):
        await Sandbox(host="192.0.2.1").start()


async def test_not_started():
    """A sandbox that is not running has no URL, and stopping it does no harm."""
    sandbox = Sandbox()
    await sandbox.stop()
    with pytest.raises(ConfigurationError, match="the sandbox is not started"):
        _ = sandbox.url


async def test_started_twice_and_again(sandbox, connect, fields):
    """A running sandbox is not started again; a stopped one is, and keeps its counts."""
    with pytest.raises(ConfigurationError, match="the sandbox is started already"):
        await sandbox.start()
    await (await connect(sandbox)).ask(fields)
    await sandbox.stop()
    await sandbox.start()
    await (await connect(sandbox)).ask(fields)
    assert sandbox.counts == {"ok": 2}


async def test_ipv6():
    """An IPv6 address is bracketed in the URL."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with Sandbox(host="::1") as sandbox:
            assert sandbox.url.startswith("http://[::1]:")
    except ConfigurationError:
        pytest.skip("no IPv6 here")


@pytest.mark.parametrize("faults", [None, "latency=1", "stray=1", "idle_close=1"])
async def test_stop_leaves_nothing(connect, fields, until, faults):
    """stop() ends idle, busy and half-used connections at once, and no task or timer is left."""
    before = asyncio.all_tasks()
    sandbox = Sandbox(faults=faults, slow_s=3600)
    await sandbox.start()
    idle, asking, half = [await connect(sandbox) for _ in range(3)]
    if faults != "latency=1":
        await idle.ask(fields)
    asking.send(fields)
    half.writer.write(b"POST /api/v1.1/loyalty/account/balance HTTP/1.1\r\nHost:")
    await until(lambda: sandbox.requests == (1 if faults == "latency=1" else 2))
    await sandbox.stop()
    for wire in (idle, asking, half):
        try:
            while await wire.reader.read(1000):
                pass
        except ConnectionResetError:
            pass
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    gc.collect()  # an unclosed socket would warn here, and a warning fails the test
    with pytest.raises(ConfigurationError):
        _ = sandbox.url


async def test_the_port_is_free_again(sandbox):
    """After stop() nobody listens."""
    host, _, port = sandbox.url.removeprefix("http://").rpartition(":")
    await sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_a_client_that_leaves(connect, fields, until):
    """A client that leaves during a slow reply leaves no task behind."""
    before = asyncio.all_tasks()
    async with Sandbox(latency_s=3600) as sandbox:
        wire = await connect(sandbox)
        wire.send(fields)
        await until(lambda: sandbox.requests)
        wire.writer.close()
        await until(lambda: asyncio.all_tasks() == before)
    assert not sandbox.counts


async def test_an_ordinary_client(sandbox, fields):
    """An HTTP library finds nothing to complain about."""
    async with aiohttp.ClientSession() as session:
        url = f"{sandbox.url}/panel/api/v1.1/loyalty/account/balance"
        for _ in range(3):
            async with session.post(url, json=fields) as reply:
                data = (await reply.json())["data"]
        assert data["total_balance"] == str(sandbox.balance_of(USER).total_balance)
    assert (sandbox.requests, sandbox.connections) == (3, 1)


def test_simulated_network():
    """The sandbox runs on a simulated network, where an hour of latency takes no time."""

    async def ask():
        async with Sandbox(port=8085, faults="stray=0.5,reset=0.5", latency_s=3600) as sandbox:
            body = b"{}"
            for _ in range(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", 8085)
                writer.write(
                    b"POST /api/v1.1/loyalty/account/balance HTTP/1.1\r\nHost: s\r\n"
                    b"Content-Length: 2\r\n\r\n" + body
                )
                await reader.read(1)
                writer.close()
            return sandbox.requests, asyncio.get_running_loop().time()

    loop = async_solipsism.EventLoop()
    try:
        requests, time_s = loop.run_until_complete(ask())
    finally:
        loop.close()
    assert requests == 10
    assert time_s >= 36_000
