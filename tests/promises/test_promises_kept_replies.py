"""Row 19, of `save_bad`: a reply that is kept for a bug report has no secret and no address in it.

Whatever the other side says back, in whatever spelling that the canaries are looked for in.
"""

import asyncio

import pytest

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.settings import RetryPolicy, Timeouts
from tests.canaries import MATCHINGS, TOKEN, Watch
from tests.lanes import LANES, client_over
from tests.promises.echoes import ECHOES, echoing

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("lane", LANES)
async def test_what_is_kept_reveals_nothing(promise, size, tmp_path, lane):
    """File by file; with both a token in the header and one in the body."""
    stated = promise(19, f"no secret, no address leaks: kept replies, {lane}")
    watch, files = Watch(), 0
    for name in size(list(ECHOES), quick=list(ECHOES)[::3]):
        folder = tmp_path / name
        async with echoing(name) as url:
            await ask_for_all(lane, url, folder)
        kept = await asyncio.to_thread(kept_in, folder)
        watch.look("kept reply", *(text.decode("utf-8", "replace") for text in kept))
        watch.look("kept reply", *(text.decode("latin-1") for text in kept))
        files += len(kept)
    stated.came(
        tried=files,
        failed=len(watch.found),
        figure=f"{len(ECHOES)} echoes",
        why="\n".join(watch.found[:20]),
    )


async def ask_for_all(lane, url, folder):
    """Each member once, over a client that keeps what it did not expect."""
    told = {"token": TOKEN, "loyalty_program_id": 123, "auth": "both", "fatal_codes": ()}
    once, short = RetryPolicy(max_attempts=1), Timeouts(attempt_s=0.2, deadline_s=0.5)
    async with client_over(
        lane, url, **told, retry=once, timeouts=short, save_bad=folder
    ) as client:
        for matching in MATCHINGS:
            try:
                await client.get_balance(matching)
            except AltcraftBalanceError:
                continue


def kept_in(folder):
    """The contents of all files."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
