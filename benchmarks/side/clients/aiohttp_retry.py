"""aiohttp-retry around a session, with as many attempts as this client makes; fixed workers."""

import aiohttp
from aiohttp_retry import JitterRetry, RetryClient

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.clients.aiohttp import connector
from benchmarks.side.drive import Peer


class Retrying(Peer):
    title = "aiohttp-retry"
    packages = ("aiohttp-retry", "aiohttp")

    async def open(self):
        session = aiohttp.ClientSession(connector=connector(self.target, self.target.at))
        options = JitterRetry(attempts=6, statuses={429})
        self.client = RetryClient(client_session=session, retry_options=options)

    async def close(self):
        await self.client.close()

    async def ask(self, thing: str) -> int:
        if self.is_json:
            async with self.client.post(self.target.url, json=fields_of(thing)) as response:
                return right_json(response.status, await response.json())
        async with self.client.post(
            self.target.url, data=xml_of(thing), headers=self.target.headers
        ) as response:
            return right_xml(response.status, await response.text())
