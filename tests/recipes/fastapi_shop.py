"""A shop's page with the member's points, in FastAPI: ``uvicorn fastapi_shop:app``.

The client lives as long as the program. A page never fails for want of points: it shows the last
known balance with its age, or none at all. Readiness does not depend on Altcraft, since another
copy of this program would fare no better; liveness is the client's own health.

Needs ``altcraft-balance``, ``fastapi``, ``uvicorn`` and ``redis``; reads REDIS and the client's own
variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN, ALTCRAFT_LOYALTY_PROGRAM_ID).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from altcraft_balance import (
    AltcraftBalanceError,
    Balance,
    BalanceClient,
    ByEmail,
    InvalidQuery,
    NotAMember,
    Timeouts,
)

#: A page's patience; a day's old balance is better than none.
TIMEOUTS = Timeouts(connect_s=1, attempt_s=1.5, deadline_s=2)
KEPT_S = 86_400


class Points(BaseModel):
    """What the page shows; digits come out as they came in, since Decimals become text."""

    model_config = ConfigDict(from_attributes=True)
    total_balance: Decimal
    active_balance: Decimal
    looked_up_at: AwareDatetime


class Page(BaseModel):
    is_member: bool | None
    points: Points | None = None
    age_s: int = 0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    redis = Redis.from_url(os.environ.get("REDIS", "redis://localhost:6379"), socket_timeout=0.2)
    async with redis, BalanceClient.from_env(timeouts=TIMEOUTS) as app.state.balances:
        app.state.redis = redis
        yield


app = FastAPI(lifespan=lifespan)


def balances(request: Request) -> BalanceClient:
    return request.app.state.balances


def redis(request: Request) -> Redis:
    return request.app.state.redis


Balances = Annotated[BalanceClient, Depends(balances)]
LastKnown = Annotated[Redis, Depends(redis)]


@app.get("/points")
async def show_points(email: str, client: Balances, last_known: LastKnown) -> Page:
    try:
        balance = await client.get_balance(ByEmail(email))
    except (NotAMember, InvalidQuery):
        return Page(is_member=False)
    except AltcraftBalanceError:
        return await last_page(email, last_known)
    await keep(email, balance, last_known)
    return Page(is_member=True, points=Points.model_validate(balance))


def key_of(email: str) -> str:
    return f"points:{blake2b(email.encode(), digest_size=16).hexdigest()}"


async def keep(email: str, balance: Balance, last_known: Redis) -> None:
    try:
        points = Points.model_validate(balance).model_dump_json()
        await last_known.set(key_of(email), points, ex=KEPT_S)
    except RedisError:
        pass  # a page is not worth less without it


async def last_page(email: str, last_known: Redis) -> Page:
    try:
        points = Points.model_validate_json(await last_known.get(key_of(email)) or b"")
    except (RedisError, ValidationError):  # away; none, or one that an older program has kept
        return Page(is_member=None)
    age_s = int((datetime.now(UTC) - points.looked_up_at).total_seconds())
    return Page(is_member=True, points=points, age_s=age_s)


@app.get("/ready")
async def ready() -> str:
    return "ready"


@app.get("/live")
async def live(client: Balances, response: Response) -> str:
    health = client.health()
    response.status_code = 200 if health.state == "open" else 503
    return f"{health.state}, breaker {health.breaker}"
