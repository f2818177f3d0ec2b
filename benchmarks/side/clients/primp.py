"""primp: reqwest in Rust, impersonating nobody; fixed workers."""

import primp

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer


class Primp(Peer):
    title = "primp"
    packages = ("primp",)

    async def open(self):
        self.client = primp.AsyncClient(
            headers=self.target.headers, ca_cert_file=self.target.ca_file
        )

    async def ask(self, thing: str) -> int:
        if self.is_json:
            response = await self.client.post(self.target.url, json=fields_of(thing))
            return right_json(response.status_code, response.json())
        response = await self.client.post(self.target.url, content=xml_of(thing))
        return right_xml(response.status_code, response.content)
