"""The way of one request: a scripted reply, else the quota, else a fault, else the right answer.

The hot path builds no response objects: aiohttp parses the request, and the reply's bytes go to the
transport directly.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, cast

from aiohttp import web

from altcraft_balance.sandbox.conduct import Conduct
from altcraft_balance.sandbox.connection import Connection
from altcraft_balance.sandbox.faults import Draw
from altcraft_balance.sandbox.misbehaviour import MISBEHAVIOURS, Exchange
from altcraft_balance.sandbox.quota import Quota
from altcraft_balance.sandbox.replies import CONTENT_TYPES, body_of, http, page
from altcraft_balance.sandbox.scripts import RawReply, Scripts
from altcraft_balance.sandbox.service import Incoming, Service

__all__ = ["Desk"]

_PATH: Final = "/api/v1.1/loyalty/account/balance"


class _Sent(web.StreamResponse):
    """Tells aiohttp that the reply is written, and whether the connection goes on."""

    def __init__(self, *, goes_on: bool) -> None:
        super().__init__()
        self._goes_on = goes_on

    @property
    def keep_alive(self) -> bool:
        """Whether another request may follow."""
        return self._goes_on

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to write."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


class Desk:
    """Takes requests and replies to them.

    Attributes:
        requests: HTTP requests received.
        counts: what was done, by name.
    """

    def __init__(self, service: Service, scripts: Scripts, draw: Draw, conduct: Conduct) -> None:
        self._service = service
        self._scripts = scripts
        self._draw = draw
        self._conduct = conduct
        self._quota: Quota | None = None
        if rate_per_s := conduct.rate_per_s:
            self._quota = Quota(rate_per_s, conduct.burst or max(1.0, rate_per_s))
        self._goes_on, self._ends = _Sent(goes_on=True), _Sent(goes_on=False)
        self.requests = 0
        self.counts: Counter[str] = Counter()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Reply to one request; see `aiohttp.web.Server`."""
        connection = cast(Connection, request.protocol)
        connection.busy()
        connection.closing = not request.keep_alive
        self.requests += 1
        if not self._turned_away(request, connection):
            await self._reply(request, connection, await request.read())
        return self._ends if connection.closing else self._goes_on

    def _turned_away(self, request: web.BaseRequest, connection: Connection) -> bool:
        path, _, _ = request.raw_path.partition("?")
        # Two slashes are a client that joined its base URL wrongly.
        if not path.endswith(_PATH) or "//" in path:
            self._send_page(connection, 404, "no_such_path")
            return True
        if request.method != "POST":
            self._send_page(connection, 405, "not_post")
            return True
        return False

    async def _reply(self, request: web.BaseRequest, connection: Connection, body: bytes) -> None:
        headers = request.headers
        incoming = self._service.read(headers.get("Content-Type"), headers.get("Accept"), body)
        scripted = self._scripted(incoming)
        refused = scripted is None and self._over_quota()
        fault = None if scripted or refused else self._draw()
        if delay_s := self._conduct.delay_s(fault, self._draw.chance):
            await asyncio.sleep(delay_s)
        if scripted is not None:
            self._send_scripted(connection, scripted)
        elif refused:
            self._send_page(connection, 429, "quota", self._conduct.retry_after_s)
        else:
            self._answer(connection, incoming, headers.get("Authorization"), fault)

    def _answer(
        self,
        connection: Connection,
        incoming: Incoming,
        authorization: str | None,
        fault: str | None,
    ) -> None:
        # After the delay, so that an answer is never older than its reply.
        answer = self._service.answer(incoming, authorization)
        status = self._conduct.status_of(answer.code)
        form = incoming.form
        if fault is None:
            self.counts[answer.outcome] += 1
            if answer.case and (recorded := self._service.manners.refusals.get(answer.case)):
                connection.closing = connection.closing or recorded.closes
                connection.send(recorded.data)
                return
            content_type, close = CONTENT_TYPES[form], connection.closing
            connection.send(http(status, body_of(answer, form), content_type, close=close))
            return
        exchange = Exchange(
            connection=connection,
            answer=answer,
            status=status,
            form=form,
            retry_after_s=self._conduct.retry_after_s,
            counts=self.counts,
            chance=self._draw.chance,
        )
        MISBEHAVIOURS[fault](exchange)

    def _scripted(self, incoming: Incoming) -> RawReply | None:
        if self._scripts.empty:
            return None
        lookup = incoming.lookup
        own = None
        if lookup is not None:
            currency = self._service.currency_of(lookup)
            own = self._scripts.take(lookup.member, lookup.program, currency)
        return own or self._scripts.take(None, 0, None)

    def _over_quota(self) -> bool:
        return self._quota is not None and not self._quota.take(asyncio.get_running_loop().time())

    def _send_scripted(self, connection: Connection, reply: RawReply) -> None:
        self.counts["scripted"] += 1
        connection.closing = connection.closing or reply.closes
        connection.send(reply.data)

    def _send_page(
        self,
        connection: Connection,
        status: int,
        outcome: str,
        retry_after_s: int | None = None,
    ) -> None:
        self.counts[outcome] += 1
        close = connection.closing
        connection.send(page(status, retry_after_s=retry_after_s, close=close))
