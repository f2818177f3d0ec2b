"""pyreqwest: reqwest in Rust, one client, a request that is read whole, fixed workers."""

from pathlib import Path

from pyreqwest.client import ClientBuilder

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer


class Pyreqwest(Peer):
    title = "pyreqwest"
    packages = ("pyreqwest",)

    async def open(self):
        builder = ClientBuilder().http1_only().default_headers(self.target.headers)
        if self.target.ca_file:
            authority = Path(self.target.ca_file).read_bytes()  # noqa: ASYNC240 - nothing runs yet
            builder = builder.add_root_certificate_pem(authority)
        self.client = builder.build()

    async def close(self):
        await self.client.close()

    async def ask(self, thing: str) -> int:
        request = self.client.post(self.target.url)
        if self.is_json:
            response = await request.body_json(fields_of(thing)).build().send()
            return right_json(response.status, await response.json())
        response = await request.body_bytes(xml_of(thing)).build().send()
        return right_xml(response.status, bytes(await response.bytes()))
