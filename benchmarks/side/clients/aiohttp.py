"""aiohttp twice: as most people write it, and with everything left out that can be."""

import ssl
from collections.abc import Iterable

import aiohttp
import orjson
from yarl import URL

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer, Watch, gathered


def connector(target, limit):
    """A pool large enough, which trusts the benchmark's authority."""
    context = ssl.create_default_context(cafile=target.ca_file) if target.ca_file else True
    return aiohttp.TCPConnector(limit=limit, ssl=context)


class AsWritten(Peer):
    """One session, ``json=``, ``await response.json()``, `gather` over all with a semaphore."""

    title = "aiohttp, as most people write it"
    packages = ("aiohttp",)

    async def open(self):
        limit = max(100, self.target.at)  # 100 is aiohttp's own
        self.session = aiohttp.ClientSession(connector=connector(self.target, limit))

    async def close(self):
        await self.session.close()

    async def ask(self, thing: str) -> int:
        if self.is_json:
            async with self.session.post(self.target.url, json=fields_of(thing)) as response:
                return right_json(response.status, await response.json())
        async with self.session.post(
            self.target.url, data=xml_of(thing), headers=self.target.headers
        ) as response:
            return right_xml(response.status, await response.text())

    async def run(self, things: Iterable[str], watch: Watch) -> None:
        await gathered(self.ask, things, self.target.at, watch)


class Tuned(Peer):
    """Fixed workers, bytes prepared before the clock starts, orjson, no cookies, no timers."""

    title = "aiohttp, tuned"
    packages = ("aiohttp", "orjson")

    async def open(self):
        self.url = URL(self.target.url)
        self.session = aiohttp.ClientSession(
            connector=connector(self.target, 0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers=self.target.headers,
            auto_decompress=False,
        )

    async def close(self):
        await self.session.close()

    def prepare(self, asked: Iterable[str]) -> list[bytes]:
        if self.is_json:
            return [orjson.dumps(fields_of(member)) for member in asked]
        return [xml_of(member) for member in asked]

    async def ask(self, thing: bytes) -> int:
        async with self.session.post(self.url, data=thing, allow_redirects=False) as response:
            body = await response.read()
            if self.is_json:
                return right_json(response.status, orjson.loads(body))
            return right_xml(response.status, body)
