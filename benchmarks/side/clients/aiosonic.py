"""aiosonic with a pool as large as the concurrency, whose connections stay open; fixed workers."""

import ssl

import aiosonic
from aiosonic.connectors import TCPConnector
from aiosonic.pools import PoolConfig

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer


class Aiosonic(Peer):
    title = "aiosonic"
    packages = ("aiosonic",)

    async def open(self):
        target = self.target
        pool = PoolConfig(size=target.at, max_conn_requests=None)
        self.connector = TCPConnector(pool_configs={":default": pool})
        self.client = aiosonic.HTTPClient(self.connector)
        self.context = ssl.create_default_context(cafile=target.ca_file) if target.ca_file else None

    async def close(self):
        await self.connector.cleanup()

    async def ask(self, thing: str) -> int:
        target = self.target
        if self.is_json:
            response = await self.client.post(target.url, json=fields_of(thing), ssl=self.context)
            return right_json(response.status_code, await response.json())
        response = await self.client.post(
            target.url, data=xml_of(thing), headers=target.headers, ssl=self.context
        )
        return right_xml(response.status_code, await response.content())
