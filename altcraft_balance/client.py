"""`BalanceClient`: the face of the package for code with an event loop."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import Enum
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from altcraft_balance.batch.gather import gather_outcomes
from altcraft_balance.batch.source import By, Items, as_query
from altcraft_balance.batch.stream import BatchOptions, OutcomeStream
from altcraft_balance.environment import from_environment, variables_of
from altcraft_balance.errors import ClientClosed
from altcraft_balance.models import Balance, BalanceQuery, Currency, Matching, Outcome
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.session.session import Session
from altcraft_balance.session.stats import ClientStats, Health, health_of, stats_of
from altcraft_balance.settings import (
    FATAL_CODES,
    Auth,
    CertificateFiles,
    ClientSettings,
    Format,
    Lane,
    Limits,
    Path,
    RetryPolicy,
    Timeouts,
)
from altcraft_balance.telemetry.listeners import Listeners
from altcraft_balance.transport.port import Tell, Transport
from altcraft_balance.validators import checked_seconds
from altcraft_balance.version import __version__
from altcraft_balance.wording import called

__all__ = ["UNSET", "BalanceClient", "Seconds"]


class Unset(Enum):
    """Where None means "no limit", this means "as the client has it"."""

    UNSET = "as the client has it"


UNSET: Final = Unset.UNSET
Seconds: TypeAlias = float | Literal[Unset.UNSET] | None


class BalanceClient:
    """Asks one Altcraft account for points balances; opened by ``async with`` or `open`.

    Args:
        base_url: the platform's address, such as ``https://ru.altkraft.com``; a path is kept.
        token: the API token: text, a `Secret`, or an async callable that gives it.
        loyalty_program_id: the program of every query that does not name one.
        currency: the points currency of every query that does not name one.
        format: ``json`` or ``xml``, for the request; the reply may come in either.
        auth: where the token goes: the ``body``, an ``Authorization`` ``header``, or ``both``.
        transport: ``aiohttp``; ``direct``, the fast lane, which has no proxies and needs the
            extra ``speed``; or an object that fits `transport.port.Transport`.
        retry: how often and how patiently a lookup is repeated.
        timeouts: limits in seconds for connecting, an attempt, a call, an item.
        limits: how much is asked at once.
        not_a_member: codes by which this server says that the member is unknown.
        fatal_codes: codes that end a batch, since every other lookup would meet them too.
        ca_file: a PEM file of authorities to trust in the place of the system's.
        client_cert: a PEM file with certificate and key, or a pair of files.
        ssl_context: a context of your own, in the place of the two above.
        proxy: the URL of an HTTP proxy.
        trust_env: also obey the environment's proxy variables and ``.netrc``.
        headers: further headers of every request.
        user_agent: in the place of ``altcraft-balance/VERSION``.
        request_ids: send a fresh ``Request-ID`` with every attempt.
        max_body_bytes: the largest reply that is read, decoded.
        allow_http: allow plain ``http`` to hosts other than this machine.
        single_flight: single calls that ask the same thing share a request that has not left yet.
        save_bad: a folder that keeps up to a hundred unexpected replies for a bug report, with
            ``***`` for the token and whatever was asked.
        log_key: a secret of your own, by which events name a member: the same digits for the
            same one, from which nobody without the key makes his address (`LookupStarted`).
        on_event: is called with every event of `telemetry.events`, on the loop; or several such.

    Raises:
        ConfigurationError: a setting is wrong; the sentence says which and what is accepted.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | Secret | Callable[[], Awaitable[str]],
        loyalty_program_id: int | None = None,
        currency: Currency | None = None,
        format: Format = "json",  # noqa: A002 - Altcraft's word
        auth: Auth = "body",
        transport: Lane | Transport = "aiohttp",
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008 - frozen
        not_a_member: int | Collection[int] = (),
        fatal_codes: int | Collection[int] = FATAL_CODES,
        ca_file: Path | None = None,
        client_cert: CertificateFiles | None = None,
        ssl_context: SSLContext | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        request_ids: bool = False,
        max_body_bytes: int = 65536,
        allow_http: bool = False,
        single_flight: bool = False,
        save_bad: Path | None = None,
        log_key: str | Secret | None = None,
        on_event: Listeners | None = None,
    ) -> None:
        # Hidden before anything can raise: frames show their locals.
        token, proxy, base_url = _hidden(token), _hidden(proxy), _hidden(base_url)
        headers, log_key = _hidden(headers), _hidden(log_key)
        settings = ClientSettings(
            base_url=base_url,
            token=token,
            loyalty_program_id=loyalty_program_id,
            currency=currency,
            format=format,
            auth=auth,
            transport=transport,
            retry=retry,
            timeouts=timeouts,
            limits=limits,
            not_a_member=not_a_member,
            fatal_codes=fatal_codes,
            ca_file=ca_file,
            client_cert=client_cert,
            ssl_context=ssl_context,
            proxy=proxy,
            trust_env=trust_env,
            headers=headers,
            user_agent=user_agent,
            request_ids=request_ids,
            max_body_bytes=max_body_bytes,
            allow_http=allow_http,
            single_flight=single_flight,
            save_bad=save_bad,
            log_key=log_key,
        )
        self._session = Session(settings, _maker_of(settings), on_event=on_event)

    @classmethod
    def from_env(cls, prefix: str = "ALTCRAFT_", **overrides: Any) -> Self:
        """A client as the environment has it, with `overrides` for single arguments.

        Reads ``BASE_URL``, ``TOKEN`` or ``TOKEN_FILE``, ``LOYALTY_PROGRAM_ID``,
        ``POINTS_CURRENCY_EID`` or ``POINTS_CURRENCY_IID``, and a variable for every other plain
        setting (see `environment.VARIABLES`), each after `prefix`.

        Raises:
            ConfigurationError: a variable is missing or cannot be read.
        """
        for name in {"token", "proxy", "base_url", "headers", "log_key"} & overrides.keys():
            overrides[name] = _hidden(overrides[name])
        arguments = from_environment(os.environ, prefix, overrides)
        with called(variables_of(prefix, overrides)):
            return cls(**arguments)

    # ── opening and closing ──────────────────────────────────────────────────────────────────

    async def open(self, *, warm: int = 0) -> None:
        """Open the client on the running loop, with `warm` connections ready from the start.

        Raises:
            ClientClosed: it was opened before.
            AltcraftBalanceError: the token, a certificate or a warm connection is not to be had.
        """
        await self._session.open(warm=warm)

    async def aclose(self, *, grace_s: float = 10) -> None:
        """Close the client: what waits ends now, what is on the wire has `grace_s` seconds.

        Raises:
            ConfigurationError: `grace_s` is not a number of seconds, 0 or more.
            ClientClosed: it was opened on another event loop.
        """
        await self._session.aclose(grace_s=grace_s)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Whoever leaves with an error, or is cancelled, does not wait for others' lookups.
        await self.aclose(grace_s=10 if kind is None else 0)

    # ── lookups ──────────────────────────────────────────────────────────────────────────────

    async def get_balance(
        self, query: Matching | BalanceQuery, *, deadline_s: Seconds = UNSET
    ) -> Balance:
        """The balance of one member.

        Args:
            query: how the member is found, or a whole query.
            deadline_s: seconds for all of it, waits and repeats included; None: no limit.

        Raises:
            AltcraftBalanceError: one of its kinds, with `attempts` and `elapsed_s`.
        """
        if isinstance(query, str):  # a mistake that is about to be refused
            query = _hidden(query)
        session = self._session
        session.check()
        started = session.clock()
        limit = session.settings.timeouts.deadline_s if deadline_s is UNSET else deadline_s
        checked_seconds(limit, "deadline_s")
        ended = await session.call(
            as_query(query, None),
            started=started,
            deadline=None if limit is None else started + limit,
        )
        if ended.balance is not None:
            return ended.balance
        if ended.halted or ended.error is None:
            raise ClientClosed(
                "the client was closed before this lookup had ended",
                attempts=ended.attempts,
                elapsed_s=ended.elapsed_s,
                maybe_sent=ended.requests > 0,
            )
        raise ended.error

    async def get_balances(
        self,
        queries: Items,
        *,
        by: By | None = None,
        item_deadline_s: Seconds = UNSET,
    ) -> list[Outcome]:
        """One outcome for each of `queries`, in their order; for small batches.

        After a fatal answer the rest are `Failed` with that error and ``requests=0``.

        Args:
            queries: matchings or queries, or plain values when `by` says what they are.
            by: makes a matching of a plain value: ``by=ByEmail``.
            item_deadline_s: seconds for each item, from when it is taken; None: no limit.
        """
        self._session.check()
        options = BatchOptions(by=by, item_deadline_s=self._item_deadline(item_deadline_s))
        return await gather_outcomes(self._session, queries, options)

    def stream_balances(
        self,
        source: Items,
        *,
        by: By | None = None,
        ordered: bool = False,
        item_deadline_s: Seconds = UNSET,
        run_deadline_s: float | None = None,
    ) -> OutcomeStream:
        """An async context manager that gives an async iterator of outcomes.

        The source is read lazily, by as many workers as keep the slots busy; a slow reader
        stops it. It may be infinite. See `batch.stream` for the ways in which a stream ends.

        Args:
            source: an iterable or async iterable of matchings, queries, or, with `by`, values.
            by: makes a matching of a plain value: ``by=ByEmail``.
            ordered: give outcomes in the source's order, within a bounded window.
            item_deadline_s: seconds for each item, from when it is taken; None: no limit.
            run_deadline_s: seconds for the whole run; then `DeadlineExceeded` ends it.
        """
        self._session.check()
        options = BatchOptions(
            by=by,
            ordered=ordered,
            item_deadline_s=self._item_deadline(item_deadline_s),
            run_deadline_s=run_deadline_s,
        )
        return OutcomeStream(self._session, source, options)

    def _item_deadline(self, given: Seconds) -> float | None:
        return self._session.settings.timeouts.item_deadline_s if given is UNSET else given

    # ── looking at it ────────────────────────────────────────────────────────────────────────

    @property
    def settings(self) -> ClientSettings:
        """What the client was told, the defaults filled in; the token in it stays hidden."""
        return self._session.settings

    def stats(self) -> ClientStats:
        """What was done so far and what is under way; sends nothing."""
        return stats_of(self._session)

    def health(self) -> Health:
        """Whether the client is open and the server answers; sends nothing."""
        return health_of(self._session)

    def __repr__(self) -> str:
        session = self.__dict__.get("_session")
        if session is None:  # in the frame of a constructor that raised
            return "<BalanceClient>"
        return f"<BalanceClient {session.settings.base_url} {session.state}>"


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _hidden(one) for name, one in value.items()}
    return HiddenStr(value) if isinstance(value, str) else value


def _maker_of(settings: ClientSettings) -> Callable[[Tell], Transport]:
    if settings.transport not in get_args(Lane):
        return lambda _: settings.transport

    def make(tell: Tell) -> Transport:
        lane = _direct() if settings.transport == "direct" else _aiohttp()
        user_agent = settings.user_agent or f"altcraft-balance/{__version__}"
        return lane(settings, user_agent=user_agent, tell=tell)

    return make


def _aiohttp() -> Callable[..., Transport]:
    from altcraft_balance.transport.aiohttp import AiohttpTransport

    return AiohttpTransport


def _direct() -> Callable[..., Transport]:
    from altcraft_balance.transport.direct import DirectTransport

    return DirectTransport
