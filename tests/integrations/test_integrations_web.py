"""The recipes for web backends, as real servers under load."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from tests.servers import RedisServer, free_port, running

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "tests" / "recipes"
MEMBER = ByEmail("user@example.com")
REQUESTS = 2_000


def uvicorn(port):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("fastapi", reason="FastAPI is not installed")
    place = ("--app-dir", str(RECIPES), "--host", "127.0.0.1", "--port", str(port))
    return ["-m", "uvicorn", "fastapi_shop:app", *place, "--log-level", "warning"]


def aiohttp_web(port):
    return [str(RECIPES / "aiohttp_shop.py")]


SHOPS = {"fastapi": uvicorn, "aiohttp": aiohttp_web}


@pytest.fixture(scope="module")
def one_redis():
    yield from running(RedisServer)


@asynccontextmanager
async def shop(command, sandbox, **environment):
    """A shop that asks the sandbox; ends with its process, and its URL."""
    port = free_port()
    told = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONDEVMODE": "",
        "PORT": str(port),
        "ALTCRAFT_BASE_URL": sandbox.url,
        "ALTCRAFT_TOKEN": "sandbox-token",
        "ALTCRAFT_LOYALTY_PROGRAM_ID": "123",
        "ALTCRAFT_NOT_A_MEMBER": "404",
        **environment,
    }
    process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
        [sys.executable, *command(port)], env=told
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            async with asyncio.timeout(30):
                while not await is_ready(session, url):
                    assert process.poll() is None
                    await asyncio.sleep(0.02)
            yield url, process, session
    finally:
        process.kill()
        process.wait()


async def is_ready(session, url):
    try:
        async with session.get(f"{url}/ready") as reply:
            return reply.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def page(session, url, email=MEMBER.email):
    async with session.get(f"{url}/points", params={"email": email}) as reply:
        return reply.status, await reply.json()


@pytest.mark.parametrize("kind", SHOPS)
async def test_a_page_shows_points_to_the_last_digit(kind):
    """Twenty of them; and who is no member is told so."""
    async with Sandbox() as sandbox, shop(SHOPS[kind], sandbox) as (url, _, session):
        amount = "12345678901234567.89"
        sandbox.set_balance(MEMBER, total_balance=amount, active_balance="0.10")
        status, shown = await page(session, url)
        assert (status, shown["is_member"]) == (200, True)
        assert shown["points"]["total_balance"] == amount
        assert shown["points"]["active_balance"] == "0.10"
        sandbox.remove(MEMBER)
        status, shown = await page(session, url)
        assert (status, shown["is_member"], shown["points"]) == (200, False, None)
        assert (await page(session, url, "no address"))[1]["is_member"] is False


@pytest.mark.parametrize("kind", SHOPS)
async def test_trouble_is_never_a_broken_page(kind):
    """The page goes without; ready it is all the same, and alive."""
    async with Sandbox(faults="status500=1") as sandbox, shop(SHOPS[kind], sandbox) as came:
        url, _, session = came
        pages = await asyncio.gather(*[page(session, url) for _ in range(3)])
        assert [status for status, _ in pages] == [200] * 3
        assert await is_ready(session, url)
        async with session.get(f"{url}/live") as reply:
            assert reply.status == 200


@pytest.mark.server
async def test_the_last_known_balance_comes_with_its_age(one_redis):
    """From Redis, while Altcraft is away; what it cannot read is none."""
    from redis.asyncio import from_url

    async with Sandbox() as sandbox, shop(uvicorn, sandbox, REDIS=one_redis.url) as came:
        url, _, session = came
        _, fresh = await page(session, url)
        sandbox.answer(None, status=500, body=b"trouble")
        status, kept = await page(session, url)
        assert (status, kept["points"]) == (200, fresh["points"])
        assert 0 <= kept["age_s"] < 60
        assert (await page(session, url, "other@example.com"))[1]["points"] is None
        async with from_url(one_redis.url) as redis:
            async for key in redis.scan_iter():
                await redis.set(key, '{"of": "an older program"}')
        assert (await page(session, url))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHOPS)
async def test_two_thousand_at_once_are_all_served(kind, size):
    """Each with its own member's points."""
    requests = size(REQUESTS, quick=200)
    async with Sandbox(latency_s=0.02) as sandbox, shop(SHOPS[kind], sandbox) as came:
        url, _, session = came
        emails = [f"m{number}@example.com" for number in range(requests)]
        pages = await asyncio.gather(*[page(session, url, email) for email in emails])
        assert Counter(status for status, _ in pages) == {200: requests}
        # Those who would have waited longer than a page may have none.
        shown = {
            email: one["points"]["total_balance"]
            for email, (_, one) in zip(emails, pages, strict=True)
            if one["points"]
        }
        truths = {email: str(sandbox.balance_of(ByEmail(email)).total_balance) for email in shown}
        assert shown == truths
        assert len(shown) > requests / 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHOPS)
async def test_a_stop_in_the_middle_loses_nobody_who_was_let_in(kind):
    """SIGTERM under load: each request that the server took is answered in full."""
    async with Sandbox(latency_s=0.05) as sandbox, shop(SHOPS[kind], sandbox) as came:
        url, process, session = came

        async def one(number):
            try:
                return await page(session, url, f"m{number}@example.com")
            except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, OSError):
                return None  # it was not let in any more

        calls = [asyncio.create_task(one(number)) for number in range(300)]
        while sandbox.requests < 100:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.001)
        asked = sandbox.requests
        process.send_signal(signal.SIGTERM)
        pages = [came for came in await asyncio.gather(*calls) if came is not None]
        async with asyncio.timeout(30):
            await asyncio.to_thread(process.wait)
        assert len(pages) >= asked
        assert {status for status, _ in pages} == {200}
        assert len([1 for _, shown in pages if shown["points"]]) == sandbox.counts["ok"]
