"""The sandbox is strict about requests."""

from __future__ import annotations

import pytest

from altcraft_balance.sandbox import Sandbox

GONE = object()


def changed(fields, changes):
    merged = {**fields, **changes}
    return {name: value for name, value in merged.items() if value is not GONE}


WRONG_FIELDS = [
    ({"loyalty_program_id": "123"}, 400, "loyalty_program_id must be an integer"),
    ({"loyalty_program_id": True}, 400, "loyalty_program_id must be an integer"),
    ({"loyalty_program_id": 123.0}, 400, "loyalty_program_id must be an integer"),
    ({"loyalty_program_id": None}, 400, "loyalty_program_id must be an integer"),
    ({"loyalty_program_id": GONE}, 400, "loyalty_program_id is required"),
    ({"loyalty_program_id": 124}, 400, "unknown loyalty program"),
    ({"points_currency_eid": "moons"}, 400, "unknown points currency"),
    ({"points_currency_eid": 1}, 400, "points_currency_eid must be a string"),
    ({"points_currency_eid": None}, 400, "points_currency_eid must be a string"),
    ({"points_currency_iid": 1}, 400, "give points_currency_iid or points_currency_eid, not both"),
    ({"points_currency_eid": GONE, "points_currency_iid": "1"}, 400, "iid must be an integer"),
    ({"matching": GONE}, 400, "matching must be one of email, phone, profile_id, custom"),
    ({"matching": "push_sub"}, 400, "matching must be one of"),
    ({"matching": ["email"]}, 400, "matching must be one of"),
    ({"phone": "+79990000000"}, 400, "matching email does not go with the field phone"),
    ({"email": GONE}, 400, "matching email needs the field email"),
    ({"email": ""}, 400, "email is empty"),
    ({"email": 5}, 400, "email must be a string"),
    ({"email": "nobody"}, 400, "email has no '@'"),
    ({"email": "\ud800@example.com"}, 400, "email has a lone surrogate"),
    ({"matching": "phone", "email": GONE, "phone": "none"}, 400, "phone has no digit"),
    ({"matching": "profile_id"}, 400, "matching profile_id needs the field profile_id"),
    (
        {"matching": "custom", "email": GONE, "field_name": "card"},
        400,
        "matching custom needs the field field_value",
    ),
    (
        {"matching": "custom", "email": GONE, "field_name": "card", "field_value": True},
        400,
        "field_value must be a string or an integer",
    ),
    ({"color": "red"}, 400, "unknown field 'color'"),
    ({"format": "yaml"}, 400, "format must be json or xml"),
    ({"token": GONE}, 401, "token required"),
    ({"token": "other"}, 401, "wrong token"),
    ({"token": 5}, 400, "token must be a string"),
]


@pytest.mark.parametrize(("changes", "code", "text"), WRONG_FIELDS)
async def test_wrong_fields(wire, fields, changes, code, text):
    """A field that is missing, unknown, too many or of the wrong type is refused by name."""
    reply = await wire.ask(changed(fields, changes))
    assert (reply.status, reply.code) == (200, code)
    assert text in reply.text


WRONG_JSON = [
    b"",
    b"[]",
    b"null",
    b'{"token":"sandbox-token","token":"sandbox-token"}',
    b'{"loyalty_program_id":NaN}',
    b'{"token":"\xff"}',
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b"{} {}",
]


@pytest.mark.parametrize("body", WRONG_JSON, ids=range(len(WRONG_JSON)))
async def test_wrong_json(wire, body):
    """A body that is not one JSON object with each key once is refused."""
    assert (await wire.ask(body)).code == 400


WRONG_XML = {
    "no root": "",
    "other root": "<request/>",
    "declaration": '<?xml version="1.0" encoding="UTF-8"?>{}',
    "doctype": '<!DOCTYPE xml [<!ENTITY e "x">]>{}',
    "instruction": "<?php x?>{}",
    "attribute": '<xml version="1"/>',
    "grandchild": "<xml><email><a/></email></xml>",
    "text between": "<xml>x<token>sandbox-token</token></xml>",
    "text at the end": "<xml><token>sandbox-token</token>x</xml>",
    "twice": "<xml><token>sandbox-token</token><token>sandbox-token</token></xml>",
    "cut": "<xml><token>sandbox",
    "JSON": "{{}}",
}


@pytest.mark.parametrize("name", WRONG_XML)
async def test_wrong_xml(wire, xml, name):
    """XML that is more, less or other than a flat <xml> of fields is refused, in XML."""
    reply = await wire.ask(WRONG_XML[name].format(xml), content_type="application/xml")
    assert reply.body.startswith(b"<xml><error>400</error><error_text>")
    assert reply.headers["Content-Type"] == "application/xml"


@pytest.mark.parametrize("number", ["1_23", " 123", "+123", "123.0", "", "9" * 5000])
async def test_xml_integers(wire, xml, number):
    """An integer in XML is digits and nothing else."""
    body = xml.replace(">123<", f">{number}<")
    reply = await wire.ask(body, content_type="application/xml")
    assert b"loyalty_program_id must be an integer" in reply.body


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json; charset=cp1251", "text/xml"]
)
async def test_content_type(wire, fields, content_type):
    """Only the two documented types, in UTF-8, are read."""
    reply = await wire.ask(fields, content_type=content_type)
    assert reply.text == "Content-Type must be application/json or application/xml"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_content_type_variants(wire, fields, content_type):
    """A Content-Type may name UTF-8 and be in any case, as RFC 9110 says."""
    assert (await wire.ask(fields, content_type=content_type)).code == 0


async def test_content_type_decides(wire, fields, xml):
    """The Content-Type decides the parser, whatever the body looks like."""
    assert (await wire.ask(xml)).code == 400
    reply = await wire.ask(fields, content_type="application/xml")
    assert b"<error>400</error>" in reply.body


@pytest.mark.parametrize(
    ("in_body", "header", "code"),
    [
        (None, "Bearer sandbox-token", 0),
        (None, "bearer sandbox-token", 0),
        ("sandbox-token", "Bearer sandbox-token", 0),
        ("sandbox-token", "Bearer other", 401),
        ("other", "Bearer sandbox-token", 401),
        (None, "Basic sandbox-token", 401),
        (None, "Bearer", 401),
    ],
)
async def test_token_places(wire, fields, in_body, header, code):
    """The token is taken from body or header, and where both have one both must be right."""
    body = changed(fields, {"token": GONE if in_body is None else in_body})
    assert (await wire.ask(body, Authorization=header)).code == code


async def test_token_in_url(wire, fields):
    """A token in the URL is no token."""
    path = "/api/v1.1/loyalty/account/balance?token=sandbox-token"
    assert (await wire.ask(changed(fields, {"token": GONE}), path=path)).code == 401


async def test_extra_fields(connect, fields):
    """Further fields are accepted by name."""
    async with Sandbox(extra_fields=("color",)) as sandbox:
        wire = await connect(sandbox)
        assert (await wire.ask({**fields, "color": "red"})).code == 0
        assert (await wire.ask({**fields, "colour": "red"})).code == 400


@pytest.mark.parametrize(
    ("path", "method", "status", "outcome"),
    [
        ("/", "POST", 404, "no_such_path"),
        ("//api/v1.1/loyalty/account/balance", "POST", 404, "no_such_path"),
        ("/api/v1.1/loyalty/account/balance/", "POST", 404, "no_such_path"),
        ("/api/v1.1/loyalty/account/balance", "GET", 405, "not_post"),
    ],
)
async def test_wrong_door(sandbox, wire, fields, path, method, status, outcome):
    """Another path or method gets a page without an envelope."""
    reply = await wire.ask(fields, path=path, method=method)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "text/plain")
    assert sandbox.counts == {outcome: 1}


async def test_path_prefix(wire, fields):
    """The method is served below any path prefix."""
    reply = await wire.ask(fields, path="/panel/api/v1.1/loyalty/account/balance")
    assert reply.code == 0


async def test_broken_chunks(sandbox, wire, fields):
    """A body that breaks HTTP ends the connection and nothing else."""
    head = b"POST /api/v1.1/loyalty/account/balance HTTP/1.1\r\nHost: s\r\n"
    wire.writer.write(head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert (await wire.receive()).status == 400
    assert await wire.reader.read() == b""
