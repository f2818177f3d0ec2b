"""impit: reqwest in Rust with a browser's fingerprints. It can be given no authority to trust."""

import json

import impit

from benchmarks.side.answer import fields_of, right_json, right_xml, xml_of
from benchmarks.side.drive import Peer


class Impit(Peer):
    title = "impit"
    packages = ("impit",)
    note = "takes no authority to trust, so it does not verify the certificate"

    async def open(self):
        self.client = impit.AsyncClient(verify=not self.target.ca_file, headers=self.target.headers)

    async def ask(self, thing: str) -> int:
        body = json.dumps(fields_of(thing)).encode() if self.is_json else xml_of(thing)
        response = await self.client.post(self.target.url, content=body)
        if self.is_json:
            return right_json(response.status_code, response.json())
        return right_xml(response.status_code, response.content)
