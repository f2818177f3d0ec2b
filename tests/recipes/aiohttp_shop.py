"""The same page in aiohttp.web: ``python aiohttp_shop.py``; see ``fastapi_shop.py`` for the why.

Needs ``altcraft-balance`` alone; reads PORT and the client's own
variables (ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN, ALTCRAFT_LOYALTY_PROGRAM_ID).
"""

import os
from collections.abc import AsyncIterator

from aiohttp import web

from altcraft_balance import (
    AltcraftBalanceError,
    BalanceClient,
    ByEmail,
    InvalidQuery,
    NotAMember,
    Timeouts,
)

TIMEOUTS = Timeouts(connect_s=1, attempt_s=1.5, deadline_s=2)
BALANCES = web.AppKey("balances", BalanceClient)


async def open_balances(app: web.Application) -> AsyncIterator[None]:
    async with BalanceClient.from_env(timeouts=TIMEOUTS) as app[BALANCES]:
        yield


async def show_points(request: web.Request) -> web.Response:
    try:
        balance = await request.app[BALANCES].get_balance(ByEmail(request.query.get("email", "")))
    except (NotAMember, InvalidQuery):
        return web.json_response({"is_member": False, "points": None})
    except AltcraftBalanceError:
        return web.json_response({"is_member": None, "points": None})
    return web.json_response({"is_member": True, "points": balance.as_dict()})


async def ready(request: web.Request) -> web.Response:
    return web.Response(text="ready")


async def live(request: web.Request) -> web.Response:
    health = request.app[BALANCES].health()
    text = f"{health.state}, breaker {health.breaker}"
    return web.Response(text=text, status=200 if health.state == "open" else 503)


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(open_balances)
    app.router.add_get("/points", show_points)
    app.router.add_get("/ready", ready)
    app.router.add_get("/live", live)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))
