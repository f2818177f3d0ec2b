"""Row 22: the loop is never blocked.

Not by a call that waits in the kernel: the whole suite runs under a watch (`tests/watches`), and so
does this run of many faults. And not by work: a turn of the loop is short.
"""

import ssl
import threading
import time
from contextlib import suppress

import pytest

from altcraft_balance.models import Balance
from altcraft_balance.secret import Secret
from tests.hostile.behaviours import BALANCE, answers
from tests.hostile.replies import reply
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.child import in_child
from tests.promises.hostile import client_of, outcome_of
from tests.promises.lag import lag_s
from tests.watches.blocking import Blocked, watched

MOST_MS = 20


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("lane", LANES)
def test_a_turn_of_the_loop_is_short(promise, size, lane, form):
    """No call blocks; in 99.9 % of all moments who becomes ready waits 20 ms of CPU at most."""
    stated = promise(22, f"the loop is never blocked: {lane}, {form}")
    members = size(5_000, 200_000, quick=400)
    came = in_child("lag", limit_s=3600, members=members, lane=lane, format=form)
    stated.came(
        tried=came["turns"],
        failed=len(came["blocked"]) + int(came["p999_ms"] > MOST_MS),
        figure=f"lag p99.9 {came['p999_ms']:.1f} ms, worst {came['worst_ms']:.1f} ms in a turn",
        why=came,
    )
    assert sum(came["tally"].values()) == members
    assert came["tally"]["found"] > 0.97 * members
    assert len(came["tally"]) > 1, "the faults were not met"


@pytest.mark.parametrize("lane", LANES)
async def test_authorities_are_read_in_a_thread(promise, monkeypatch, authority, lane):
    """The system's take 24 ms; no call says so, hence the watch cannot see it."""
    stated = promise(22, f"the loop is never blocked: TLS's authorities, {lane}")
    make, threads, context = ssl.create_default_context, [], authority.serving()

    def noted(*arguments, **named):
        threads.append(threading.get_ident())
        return make(*arguments, **named)

    monkeypatch.setattr(ssl, "create_default_context", noted)
    async with (
        RawServer(answers(reply(BALANCE)), context=context) as server,
        client_of(lane, server.url, ca_file=authority.file) as client,
    ):
        assert isinstance(await outcome_of(client), Balance)
    stated.came(
        tried=len(threads),
        failed=threads.count(threading.get_ident()),
        figure=f"read {len(threads)} times",
    )
    assert threads


def test_a_long_turn_is_seen():
    """Work of 30 ms after each outcome is more than the promise allows."""
    came = in_child("lag", members=20, hold_ms=30)
    assert came["p999_ms"] > MOST_MS


def test_the_lag_is_what_a_probe_would_meet():
    """Of two turns, of 1 and of 3 s, half of all moments are 1 s and more from their end."""
    assert lag_s([1.0, 3.0], 0.5) == pytest.approx(1.0)
    assert lag_s([1.0, 3.0], 0.75) == pytest.approx(2.0)
    assert lag_s([2.0] * 1000, 0.999) == pytest.approx(1.998)


async def test_a_blocking_call_is_seen_even_when_it_is_caught():
    """As a transport would catch it that takes any exception for a failed connection."""
    with watched(), suppress(Exception):
        time.sleep(0)  # noqa: ASYNC251 - that is what is tested
    assert [Blocked.seen.pop()] == ["time.sleep"]


async def test_a_lock_that_another_thread_holds_is_seen(monkeypatch):
    """Only where lines are counted it is not: the tracer takes locks, too."""
    monkeypatch.setattr("sys.gettrace", lambda: None)
    lock = threading.Lock()
    with lock, watched(), suppress(Exception):
        lock.acquire(timeout=0.001)
    assert [Blocked.seen.pop()] == ["lock.acquire"]


async def test_the_watch_is_over_every_asynchronous_test(tmp_path):
    """Without a word in the test: the package may not read a file here, while the test may."""
    path = tmp_path / "token"
    path.write_text("sandbox-token")
    with pytest.raises(Blocked):
        Secret.from_file(path).reveal()
    Blocked.seen.clear()


@pytest.mark.may_block("that it may is what is tested")
async def test_a_test_that_may_block_may(tmp_path):
    """It says why."""
    path = tmp_path / "token"
    path.write_text("sandbox-token")
    assert Secret.from_file(path).reveal() == "sandbox-token"
