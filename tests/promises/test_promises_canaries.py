"""Row 19: neither a secret nor a member's address leaks, whatever the other side does.

Canaries are looked for, in every spelling, in all that a client shows: values, errors with their
chains and frames, events and every log at DEBUG.
"""

import asyncio
import gc
import logging
import warnings

import pytest

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.settings import Limits, RetryPolicy, Timeouts
from tests.canaries import MATCHINGS, TOKEN, Watch
from tests.lanes import LANES, client_over
from tests.promises.echoes import ECHOES, echoing


@pytest.fixture
def watch(caplog):
    """A watch over every logger, at DEBUG."""
    watch = Watch()
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "aiohttp", "sqlalchemy", "altcraft_balance"):
        caplog.set_level(logging.DEBUG, logger=name)
    return watch


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("lane", LANES)
async def test_a_server_that_repeats_all_it_is_told_reveals_nothing(
    promise, watch, caplog, lane, form
):
    """In each place of a reply; asked one by one and in a stream, the token in body and header."""
    stated = promise(19, f"no secret, no address leaks: {lane}, {form}")
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0  # asyncio has a word on each step
    loop.set_exception_handler(lambda _, told: watch.look("loop", repr(told)))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for name in ECHOES:
            async with echoing(name) as url:
                await ask_all(watch, lane, url, form)
        gc.collect()
        await asyncio.sleep(0)
    watch.look("warning", *(str(one.message) for one in warned))
    for record in caplog.records:
        watch.look(f"log {record.name.partition('.')[0]}", record.getMessage(), repr(record.args))
    caplog.clear()
    loop.set_debug(False)
    print(watch.seen)
    stated.came(
        tried=watch.seen.total(),
        failed=len(watch.found),
        figure=f"{len(ECHOES)} echoes",
        why="\n".join(watch.found[:40]),
    )


async def ask_all(watch, lane, url, form):
    """All ways to ask that server, each looked at."""
    client = client_over(
        lane,
        url,
        token=TOKEN,
        format=form,
        auth="both",
        loyalty_program_id=123,
        fatal_codes=(),
        retry=RetryPolicy(max_attempts=2, base_s=0.001, cap_s=0.002),
        timeouts=Timeouts(attempt_s=0.05, deadline_s=0.2),
        limits=Limits(concurrency=4, adaptive=False),
        on_event=lambda event: watch.look_at("event", event),
    )
    async with client:
        for matching in MATCHINGS:
            error = await told_of(client.get_balance(matching))
            watch.look_at("error", error)
        for outcome in await client.get_balances(MATCHINGS, item_deadline_s=0.2):
            watch.look_at("outcome", outcome)
            watch.look_at("error", outcome.error)
        watch.look_at("client", client, client.stats(), client.health(), client._session.settings)


async def told_of(asking):
    try:
        await asking
    except AltcraftBalanceError as error:
        return error
    raise AssertionError("it was answered")
