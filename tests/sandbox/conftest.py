"""A raw-socket client: the sandbox's bytes are looked at without an HTTP library in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from attrs import define, frozen

from altcraft_balance.sandbox import Sandbox

PATH = "/api/v1.1/loyalty/account/balance"


@frozen
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        return int(json.loads(self.body)["error"])

    @property
    def text(self) -> str:
        return str(json.loads(self.body)["error_text"])


@define
class Wire:
    """One connection; `asks` are fields for JSON, bytes and str go as they are."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(
        self,
        body: dict[str, Any] | bytes | str,
        *,
        path: str = PATH,
        method: str = "POST",
        content_type: str | None = "application/json",
        **headers: str,
    ) -> None:
        data = json.dumps(body) if isinstance(body, dict) else body
        data = data if isinstance(data, bytes) else data.encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: sandbox", f"Content-Length: {len(data)}"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + data)

    async def receive(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Reply(int(head[0].split()[1]), headers, body)

    async def ask(self, body: dict[str, Any] | bytes | str, **how: Any) -> Reply:
        self.send(body, **how)
        return await self.receive()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Lets the loop turn until a condition holds; the suite's own timeout is the limit."""

    async def turn(condition: Callable[[], object]) -> None:
        while not condition():  # noqa: ASYNC110 - there is no event for what is looked at
            await asyncio.sleep(0)

    return turn


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[Sandbox], Awaitable[Wire]]]:
    """Opens connections to a sandbox, and closes them at the end."""
    async with AsyncExitStack() as stack:

        async def opened(sandbox: Sandbox) -> Wire:
            host, _, port = sandbox.url.removeprefix("http://").rpartition(":")
            wire = Wire(*await asyncio.open_connection(host, int(port)))
            stack.callback(wire.writer.close)
            return wire

        yield opened


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox with every default."""
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def wire(sandbox: Sandbox, connect: Callable[[Sandbox], Awaitable[Wire]]) -> Wire:
    """A connection to it."""
    return await connect(sandbox)


@pytest.fixture
def fields() -> dict[str, Any]:
    """The fields of a request that is right."""
    return {
        "token": "sandbox-token",
        "loyalty_program_id": 123,
        "points_currency_eid": "stars",
        "matching": "email",
        "email": "user@example.com",
    }


@pytest.fixture
def xml() -> str:
    """The same request in XML."""
    return (
        "<xml><token>sandbox-token</token><loyalty_program_id>123</loyalty_program_id>"
        "<points_currency_eid>stars</points_currency_eid><matching>email</matching>"
        "<email>user@example.com</email></xml>"
    )
