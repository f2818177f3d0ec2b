"""httpx in fixed workers, and under aiometer.

As many connections as lookups at once, of which no more are kept than httpx keeps by default, 20:
its pool looks through all kept ones for each request, and with 64 of them a lookup costs half as
much again to three times as much. The 5 s which it gives a request by default are few at 1,024.
"""

import functools
import ssl
from collections.abc import Iterable

import httpx

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer, Watch, watched


class Httpx(Peer):
    title = "httpx"
    packages = ("httpx", "httpcore", "h11")

    async def open(self):
        target = self.target
        context = ssl.create_default_context(cafile=target.ca_file) if target.ca_file else True
        limits = httpx.Limits(max_connections=max(100, target.at), max_keepalive_connections=20)
        self.client = httpx.AsyncClient(limits=limits, verify=context, timeout=30)

    async def close(self):
        await self.client.aclose()

    async def ask(self, thing: str) -> int:
        target = self.target
        if self.is_json:
            response = await self.client.post(target.url, json=fields_of(thing))
            return right_json(response.status_code, response.json())
        response = await self.client.post(target.url, content=xml_of(thing), headers=target.headers)
        return right_xml(response.status_code, response.content)


class Aiometer(Httpx):
    """`amap`, as its README shows it with httpx."""

    title = "aiometer over httpx"
    packages = ("aiometer", "httpx")

    async def run(self, things: Iterable[str], watch: Watch) -> None:
        import aiometer

        ask = functools.partial(watched, self.ask, watch=watch)
        async with aiometer.amap(ask, list(things), max_at_once=self.target.at) as results:
            async for _ in results:
                pass
