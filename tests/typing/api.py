"""Read by mypy and pyright, never run: the public face has the types that it promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import assert_never, assert_type

from altcraft_balance import (
    AltcraftBalanceError,
    Balance,
    BalanceClient,
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Currency,
    CurrencyEid,
    CurrencyIid,
    DeadlineExceeded,
    Failed,
    Found,
    Limits,
    Matching,
    Outcome,
    RateTimetable,
    RawMatching,
    RetryPolicy,
    Sandbox,
    Secret,
    SharedRate,
    Timeouts,
    blocking,
)
from altcraft_balance.integrations.outcomes import sort_outcomes
from altcraft_balance.telemetry.logs import log_events
from altcraft_balance.telemetry.prometheus import PrometheusMetrics
from altcraft_balance.telemetry.tracing import Tracing
from altcraft_balance.testing import ScriptedTransport, answers


async def vault() -> str:
    return "token"


def clients() -> list[BalanceClient]:
    return [
        BalanceClient("https://ru.altkraft.com", token="text"),
        BalanceClient("https://ru.altkraft.com", token=Secret.from_file("/run/token")),
        BalanceClient(
            "https://ru.altkraft.com",
            token=vault,
            loyalty_program_id=123,
            currency=CurrencyIid(7),
            format="xml",
            auth="both",
            retry=RetryPolicy(max_attempts=9),
            timeouts=Timeouts(deadline_s=None),
            limits=Limits(concurrency=8, rate_per_s=SharedRate.split(200, workers=4)),
            not_a_member={440},
            headers={"X-Team": "loyalty"},
            on_event=lambda event: None,
        ),
        BalanceClient.from_env(on_event=[log_events, PrometheusMetrics(), Tracing()], log_key="k"),
        BalanceClient(
            "https://ru.altkraft.com", token="t", transport=ScriptedTransport(answers(1))
        ),
        BalanceClient.from_env(format="xml"),
        BalanceClient.from_env(limits=Limits(rate_per_s=RateTimetable.read("6:00,20 22:00,200"))),
    ]


async def one(client: BalanceClient) -> Decimal:
    balance = await client.get_balance(ByEmail("user@example.com"), deadline_s=None)
    assert_type(balance, Balance)
    assert_type(balance.currency, Currency | None)
    return balance.total_balance + balance.active_balance


async def members() -> AsyncIterator[Matching]:
    yield ByPhone("+79161234567")
    yield ByProfileId("5c9f")
    yield ByCustomField("card", 42)
    yield RawMatching({"matching": "email_sub", "email": "user@example.com"})


async def many(client: BalanceClient) -> None:
    assert_type(await client.get_balances(["a@example.com"], by=ByEmail), list[Outcome])
    query = BalanceQuery(ByEmail("a@example.com"), currency=CurrencyEid("stars"), tag=object())
    await client.get_balances([query], item_deadline_s=3)
    async with client.stream_balances(members(), ordered=True) as outcomes:
        async for outcome in outcomes:
            match outcome:
                case Found(query=asked, balance=balance):
                    assert_type(asked, BalanceQuery)
                    assert_type(balance, Balance)
                case Failed(error=error):
                    assert_type(error, AltcraftBalanceError)
                case _:
                    assert_never(outcome)


def without_a_loop() -> None:
    with blocking.BalanceClient.from_env() as client:
        assert_type(client.get_balance(ByEmail("user@example.com")), Balance)
        assert_type(client.get_balances(["a@example.com"], by=ByEmail), list[Outcome])
        for outcome in client.stream_balances(["a@example.com"], by=ByEmail):
            assert_type(outcome, Found | Failed)


def consumed(outcomes: list[Outcome]) -> list[Failed]:
    return sort_outcomes(outcomes).again


def wrong(client: BalanceClient) -> None:
    client.get_balance("user@example.com")  # type: ignore[arg-type,unused-coroutine]
    BalanceClient("https://ru.altkraft.com")  # type: ignore[call-arg]
    BalanceClient("https://ru.altkraft.com", token="t", format="yaml")  # type: ignore[arg-type]


def of(error: DeadlineExceeded) -> None:
    assert_type(error.last_error, AltcraftBalanceError | None)
    assert_type(error.phase, str)


async def sandbox() -> str:
    async with Sandbox(faults={"reset": 0.1}) as server:
        return server.url
