"""`Sandbox`, the server's face: settings, start and stop, and what can be asked and set."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Literal, Self

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import BalanceQuery, Currency, Matching
from altcraft_balance.sandbox.conduct import Conduct
from altcraft_balance.sandbox.desk import Desk
from altcraft_balance.sandbox.faults import Draw, checked_rates
from altcraft_balance.sandbox.listener import Listener
from altcraft_balance.sandbox.manners import manners_in
from altcraft_balance.sandbox.matching import member_of
from altcraft_balance.sandbox.members import Points, Scope, amount_text
from altcraft_balance.sandbox.programs import PROGRAMS, PointsCurrency
from altcraft_balance.sandbox.scripts import Scripts, raw_reply
from altcraft_balance.sandbox.service import Service
from altcraft_balance.secret import Secret

__all__ = ["Sandbox"]


class Sandbox:
    """A server on which every well-formed member exists and has a balance that can be checked.

    Use it with ``async with``, or `start` it and `stop` it. The method is served at ``url`` and
    below any path prefix. What is not documented is ours: an unknown program or currency is error
    400, an unknown member is error 404 "profile not found".

    Args:
        token: the only right token, in the body or as ``Authorization: Bearer``.
        programs: the currencies of every loyalty program; the first is the program's default.
        faults: how often each of `FAULTS` happens, from 0 to 1: a mapping, or text such as
            ``"reset=0.05,status503=0.05"``.
        seed: decides which request meets which fault.
        host: where to listen.
        port: where to listen; 0 finds a free one.
        latency_s: how long every reply takes, in seconds.
        jitter_s: up to so many seconds more, at random.
        slow_s: how much longer a reply takes that meets the fault ``latency``.
        rate_per_s: requests let through in a second; the others get HTTP 429.
        burst: requests let through at once, when there was quiet before; by default a second's.
        retry_after_s: what ``Retry-After`` says on a 429 or 503, in whole seconds.
        error_status: the HTTP status of an error envelope: ``"ok"`` is 200, ``"envelope"`` is the
            envelope's code. The platform documents neither.
        extra_fields: names of further fields that a request may have; others are error 400.
        samples: a folder that ``doctor --probe --save`` made: what is documented nowhere is then
            answered as the server did that was probed. Members at ``.invalid`` are unknown then.

    Attributes:
        connections: connections accepted.

    Raises:
        ConfigurationError: a setting is wrong; the sentence says which.
    """

    def __init__(
        self,
        *,
        token: str | Secret = "sandbox-token",  # noqa: S107 - opens nothing but this sandbox
        programs: Mapping[int, Sequence[PointsCurrency]] = PROGRAMS,
        faults: Mapping[str, float] | str | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        latency_s: float = 0.0,
        jitter_s: float = 0.0,
        slow_s: float = 0.2,
        rate_per_s: float | None = None,
        burst: float | None = None,
        retry_after_s: int = 1,
        error_status: Literal["ok", "envelope"] = "ok",
        extra_fields: Collection[str] = (),
        samples: str | os.PathLike[str] | None = None,
    ) -> None:
        if type(port) is not int or not 0 <= port <= 65535:
            raise ConfigurationError(f"port must be an integer from 0 to 65535, not {port!r}")
        secret = token if isinstance(token, Secret) else Secret(token)
        conduct = Conduct(
            latency_s=latency_s,
            jitter_s=jitter_s,
            slow_s=slow_s,
            rate_per_s=rate_per_s,
            burst=burst,
            retry_after_s=retry_after_s,
            error_status=error_status,
        )
        self._host = host
        self._port = port
        self._samples = samples
        self._service = Service(secret.reveal(), programs, extra_fields)
        self._scripts = Scripts()
        draw = Draw(checked_rates(faults), seed)
        self._desk = Desk(self._service, self._scripts, draw, conduct)
        self._listener: Listener | None = None
        self._url = ""
        self.connections = 0

    # ── start and stop ───────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Listen; `url` says where.

        Raises:
            ConfigurationError: it is started already, cannot listen there, or its samples
                cannot be read.
        """
        if self._listener is not None:
            raise ConfigurationError("the sandbox is started already")
        if self._samples is not None:
            self._service.manners = await asyncio.to_thread(manners_in, self._samples)
        listener = Listener(self._desk.serve, self._accepted)
        self._url = await listener.listen(self._host, self._port)
        self._listener = listener

    async def stop(self) -> None:
        """Stop listening and end every connection at once; afterwards nothing is left behind."""
        listener, self._listener, self._url = self._listener, None, ""
        if listener is not None:
            await listener.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:8085``.

        Raises:
            ConfigurationError: the sandbox is not started.
        """
        if not self._url:
            raise ConfigurationError("the sandbox is not started: use 'async with' or start()")
        return self._url

    def _accepted(self) -> None:
        self.connections += 1

    # ── what was done ────────────────────────────────────────────────────────────────────────

    @property
    def requests(self) -> int:
        """HTTP requests received."""
        return self._desk.requests

    @property
    def counts(self) -> Counter[str]:
        """Requests by what was done.

        ``ok`` (a right balance was sent whole), ``error_400`` and so on, ``scripted``, ``quota``,
        ``no_such_path``, ``not_post``, and every fault by name. A fault that comes
        with the right answer counts beside it.
        """
        return self._desk.counts

    def asked(self, query: Matching | BalanceQuery) -> int:
        """How many well-formed requests named this member, in whatever program and currency."""
        return self._service.asked[member_of(query)]

    # ── members ──────────────────────────────────────────────────────────────────────────────

    def balance_of(
        self,
        query: Matching | BalanceQuery,
        *,
        loyalty_program_id: int | None = None,
        currency: Currency | None = None,
    ) -> Points | None:
        """What a right answer says about a member, or None for a removed one.

        A query's own program and currency come first, as in the client; without any it is the
        sandbox's first program, and that program's first currency. XML has no types, so there a
        custom field's 42 is asked for as "42".

        Raises:
            ConfigurationError: there is no such program or currency.
            InvalidQuery: a query that the sandbox does not answer.
        """
        amounts = self._service.amounts_of(query, loyalty_program_id, currency)
        return None if amounts is None else Points(Decimal(amounts[0]), Decimal(amounts[1]))

    def set_balance(
        self,
        query: Matching | BalanceQuery,
        *,
        total_balance: Decimal | int | str,
        active_balance: Decimal | int | str | None = None,
    ) -> None:
        """Set a member's balance: everywhere, or in the program and currency that `query` names.

        The latest setting that fits wins. The amounts' digits and places go over the wire as they
        are; `active_balance` is by default the total.

        Raises:
            ConfigurationError: an amount is no finite decimal number; no such program or currency.
        """
        total = amount_text(total_balance, "total_balance")
        active = total if active_balance is None else amount_text(active_balance, "active_balance")
        scope = self._service.scope_of(query)
        self._service.ledger.put(member_of(query), scope, (total, active))

    def remove(self, query: Matching | BalanceQuery) -> None:
        """Make a member unknown: everywhere, or in the program and currency that `query` names.

        `set_balance` brings the member back.
        """
        scope = self._service.scope_of(query)
        self._service.ledger.put(member_of(query), scope, None)

    def answer(
        self,
        query: Matching | BalanceQuery | None,
        *,
        status: int = 200,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        times: int | None = None,
    ) -> None:
        """Script a raw reply for a member, or for everybody when `query` is None.

        It comes before the quota, the faults and the token's check; a member's before everybody's.
        Replies with `times` are used up first, in the order they were given; then the one without,
        of which the latest counts. Only ``Content-Length`` is added, if `headers` have none.

        Raises:
            ConfigurationError: `status`, `body`, `headers` or `times` cannot be sent as they are.
        """
        reply = raw_reply(status, body, headers or {})
        if query is None:
            self._scripts.add(None, Scope(None, None), reply, times)
        else:
            self._scripts.add(member_of(query), self._service.scope_of(query), reply, times)
