"""niquests: one asynchronous session, HTTP/1.1, a pool as large as the concurrency."""

import niquests

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer


class Niquests(Peer):
    title = "niquests"
    packages = ("niquests", "urllib3-future")

    async def open(self):
        target = self.target
        self.session = niquests.AsyncSession(
            pool_maxsize=target.at,
            disable_http2=True,
            disable_http3=True,
            verify=target.ca_file or True,
        )
        self.session.trust_env = False  # or a CA bundle of the environment comes before ours

    async def close(self):
        await self.session.close()

    async def ask(self, thing: str) -> int:
        target = self.target
        if self.is_json:
            response = await self.session.post(target.url, json=fields_of(thing))
            return right_json(response.status_code, response.json())
        response = await self.session.post(target.url, data=xml_of(thing), headers=target.headers)
        return right_xml(response.status_code, response.content)
