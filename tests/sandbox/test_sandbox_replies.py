"""The sandbox's replies are exact."""

from __future__ import annotations

from decimal import Decimal

import pytest

from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox

USER = ByEmail("user@example.com")
JSON = (
    b'{"error":0,"error_text":"Successful operation",'
    b'"data":{"total_balance":"1000.00","active_balance":"800.50"}}'
)
XML = (
    b"<xml><error>0</error><error_text>Successful operation</error_text><data>"
    b"<total_balance>1000.00</total_balance><active_balance>800.50</active_balance></data></xml>"
)


@pytest.fixture
def rich(sandbox):
    sandbox.set_balance(USER, total_balance="1000.00", active_balance=Decimal("800.50"))
    return sandbox


async def test_json_bytes(rich, wire, fields):
    """A JSON reply is the documented one, to the byte, head included."""
    wire.send(fields)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 108\r\n\r\n"
    assert await wire.reader.readexactly(len(head + JSON)) == head + JSON


async def test_xml_bytes(rich, wire, xml):
    """An XML reply is the documented one, to the byte."""
    reply = await wire.ask(xml, content_type="application/xml")
    assert (reply.body, reply.headers["Content-Type"]) == (XML, "application/xml")


@pytest.mark.parametrize(
    ("accept", "named", "form"),
    [
        (None, None, "json"),
        ("*/*", None, "json"),
        ("*/*", "xml", "xml"),
        ("application/xml", None, "xml"),
        ("application/json", "xml", "json"),
        ("text/html", "xml", "xml"),
        ("application/json;q=0.5, application/xml", None, "xml"),
        ("application/xml;q=0, */*", None, "json"),
        ("application/xml;q=much", None, "json"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", None, "xml"),
    ],
)
async def test_reply_format(rich, wire, fields, accept, named, form):
    """The format is by Accept, else by the field `format`, else the request's own."""
    headers = {} if accept is None else {"Accept": accept}
    reply = await wire.ask({**fields, **({"format": named} if named else {})}, **headers)
    assert reply.body == (XML if form == "xml" else JSON)
    assert reply.headers["Content-Type"] == f"application/{form}"


async def test_error_bytes(wire, fields, xml):
    """An error is an envelope without data, in both formats."""
    fields["token"] = "other"
    assert (await wire.ask(fields)).body == b'{"error":401,"error_text":"wrong token"}'
    reply = await wire.ask(fields, Accept="application/xml")
    assert reply.body == b"<xml><error>401</error><error_text>wrong token</error_text></xml>"


async def test_error_text_is_escaped(wire, fields):
    """Whatever a client names a field, the reply stays well-formed."""
    reply = await wire.ask({**fields, "<&\x00'>": 1}, Accept="application/xml")
    assert b"&lt;&amp;\\x00" in reply.body


@pytest.mark.parametrize(("error_status", "status"), [("ok", 200), ("envelope", 401)])
async def test_error_status(connect, fields, error_status, status):
    """An error's HTTP status is 200, or by a switch the envelope's code."""
    async with Sandbox(error_status=error_status, token="secret") as sandbox:
        reply = await (await connect(sandbox)).ask(fields)
        assert (reply.status, reply.code) == (status, 401)


async def test_keep_alive(sandbox, wire, fields):
    """One connection carries many requests, until the client says that it ends."""
    for _ in range(3):
        assert "Connection" not in (await wire.ask(fields)).headers
    assert (await wire.ask(fields, Connection="close")).headers["Connection"] == "close"
    assert await wire.reader.read() == b""
    assert (sandbox.connections, sandbox.requests) == (1, 4)
