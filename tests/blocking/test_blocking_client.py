"""The client whose calls wait: the same answers and errors, from any thread, in any process."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from altcraft_balance.blocking import BalanceClient
from altcraft_balance.errors import (
    AuthenticationError,
    ClientClosed,
    ConfigurationError,
    DeadlineExceeded,
)
from altcraft_balance.models import ByEmail, Found
from altcraft_balance.secret import Secret
from altcraft_balance.settings import Limits
from altcraft_balance.telemetry.events import LookupStarted
from altcraft_balance.telemetry.prometheus import PrometheusMetrics

MEMBER = ByEmail("user@example.com")


def _of_prometheus():
    from prometheus_client import CollectorRegistry

    from altcraft_balance.telemetry.prometheus import PrometheusMetrics

    return PrometheusMetrics(registry=CollectorRegistry())


def _of_otel():
    from opentelemetry.sdk.metrics import MeterProvider

    from altcraft_balance.telemetry.otel_metrics import OtelMetrics

    return OtelMetrics(meter_provider=MeterProvider(shutdown_on_exit=False))


def _tracing():
    from opentelemetry.sdk.trace import TracerProvider

    from altcraft_balance.telemetry.tracing import Tracing

    return Tracing(TracerProvider(shutdown_on_exit=False))


LISTENERS = {"prometheus": _of_prometheus, "otel_metrics": _of_otel, "tracing": _tracing}


def test_a_balance_is_the_members(client, sandbox):
    """And the figures are those of the asynchronous client."""
    truth = sandbox.balance_of(MEMBER, loyalty_program_id=123)
    balance = client.get_balance(MEMBER)
    assert balance.total_balance == truth.total_balance
    assert (client.stats().requests, client.health().ok) == (1, True)
    assert client.settings.loyalty_program_id == 123


@pytest.mark.may_block("a notebook's cell does")
async def test_a_cell_of_a_notebook_may_use_it(make):
    """Where a loop runs already: opened, asked and closed."""
    with make() as client:
        assert client.get_balance(MEMBER).total_balance > 0


def test_a_small_batch_is_a_list(client):
    """In the order of its queries."""
    outcomes = client.get_balances([f"m{number}@example.com" for number in range(20)], by=ByEmail)
    assert [outcome.index for outcome in outcomes] == list(range(20))
    assert all(isinstance(outcome, Found) for outcome in outcomes)


def test_the_environment_says_where_and_who(sandbox, monkeypatch):
    """As for the asynchronous client."""
    monkeypatch.setenv("ALTCRAFT_BASE_URL", sandbox.url)
    monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
    monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
    with BalanceClient.from_env() as client:
        assert client.get_balance(MEMBER).total_balance > 0


def test_errors_are_the_same(make):
    """With the fields that they have."""
    with make(token="another") as client, pytest.raises(AuthenticationError) as caught:
        client.get_balance(MEMBER)
    assert caught.value.attempts == 1


def test_a_deadline_is_kept(make, serve):
    """A wait ends with it."""
    with make(serve(latency_s=30)) as client, pytest.raises(DeadlineExceeded):
        client.get_balance(MEMBER, deadline_s=0.05)


def test_what_it_is_told_is_checked_at_once():
    """As by the asynchronous client, and no token is shown."""
    with pytest.raises(ConfigurationError, match="format must be"):
        BalanceClient("https://altcraft.example", token="t0ken", format="yaml")
    client = BalanceClient("https://altcraft.example", token="t0ken")
    assert repr(client) == "<blocking.BalanceClient https://altcraft.example new>"
    assert "t0ken" not in repr(vars(client))


def test_what_is_not_open_says_so(make):
    """Four sentences."""
    client = make()
    with pytest.raises(ClientClosed, match="use 'with', or call open"):
        client.get_balance(MEMBER)
    client.open()
    with pytest.raises(ClientClosed, match="opens once"):
        client.open()
    client.close()
    client.close()
    with pytest.raises(ClientClosed, match="is closed: make a new"):
        client.get_balance(MEMBER)
    with pytest.raises(ClientClosed, match="opens once"):
        client.open()


def test_what_cannot_open_leaves_no_thread(make, tmp_path):
    """A token that is not there, say."""
    before = threading.active_count()
    client = make(token=Secret.from_file(tmp_path / "none"))
    with pytest.raises(ConfigurationError):
        client.open()
    assert threading.active_count() == before
    with pytest.raises(ClientClosed, match="is closed"):
        client.get_balance(MEMBER)


def test_threads_share_it(client, sandbox):
    """Each gets its own member's balance."""
    members = [ByEmail(f"m{number}@example.com") for number in range(64)]
    truths = [sandbox.balance_of(member, loyalty_program_id=123) for member in members]
    with ThreadPoolExecutor(16) as pool:
        balances = list(pool.map(client.get_balance, members))
    assert [one.total_balance for one in balances] == [one.total_balance for one in truths]
    assert client.stats().requests == 64


def test_its_own_thread_cannot_wait_for_itself(make):
    """In `on_event`, say: a sentence, and not a program that hangs."""
    told = []

    def listen(event):
        if not told:
            told.append(None)
            try:
                client.get_balance(MEMBER)
            except ClientClosed as error:
                told.append(str(error))

    client = make(on_event=listen)
    with client:
        client.get_balance(MEMBER)
    assert "cannot be called from its own thread" in told[1]


def test_ctrl_c_ends_the_wait_and_the_lookup(make, serve):
    """It comes while the lookup is under way, and nothing of it is left."""
    main = threading.main_thread().ident

    def interrupt(event):
        if isinstance(event, LookupStarted):
            signal.pthread_kill(main, signal.SIGINT)

    with make(serve(latency_s=30), on_event=interrupt) as client:
        with pytest.raises(KeyboardInterrupt):
            client.get_balance(MEMBER)
        limit = time.monotonic() + 10
        while client.stats().in_progress:
            assert time.monotonic() < limit, "it goes on"
            assert client.get_balances([]) == []  # the loop comes round once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
@pytest.mark.parametrize("kind", ["prometheus", "otel_metrics", "tracing"])
def test_a_forks_child_may_be_listened_to(make, kind):
    """By what listened to its parent; its figures are its own."""
    pytest.importorskip("opentelemetry.sdk" if kind != "prometheus" else "prometheus_client")
    listener = LISTENERS[kind]()
    client = make(on_event=listener)
    client.open()
    client.get_balance(MEMBER)
    assert os.waitstatus_to_exitcode(os.waitpid(os.fork() or _as_a_child(client), 0)[1]) == 0
    assert client.get_balance(MEMBER).total_balance > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_forks_child_has_connections_of_its_own(make, sandbox):
    """Each process asks for itself, and the parent goes on as before."""
    client = make(limits=Limits(concurrency=4))
    client.open(warm=2)
    client.get_balance(MEMBER)
    children = [os.fork() or _as_a_child(client) for _ in range(3)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 3
    assert client.get_balance(MEMBER).total_balance > 0
    assert client.stats().requests == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
@pytest.mark.parametrize("asks", ["stats", "metrics", "close"])
def test_a_forks_child_that_asks_nothing_has_no_figures(make, asks):
    """Neither while it is as it came, nor in its metrics, nor when it has closed its client."""
    registry = pytest.importorskip("prometheus_client").CollectorRegistry()
    client = make(on_event=PrometheusMetrics(registry=registry))
    client.open()
    client.get_balance(MEMBER)
    requests = ("altcraft_balance_requests_total", {"client": "default"})

    def looks():
        if asks == "metrics":
            return registry.get_sample_value(*requests) in {None, 0}
        if asks == "close":
            client.close()
        return client.stats().requests == 0 and client.health().state != "open"

    if (child := os.fork()) == 0:
        code = 1
        try:
            code = 0 if looks() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert registry.get_sample_value(*requests) == 1


def _as_a_child(client):
    code = 1
    try:
        assert client.stats().requests == 0  # and not the parent's
        balances = [client.get_balance(ByEmail(f"m{n}@example.com")) for n in range(20)]
        alone = client.stats().requests == len(balances)
        client.close()
        gc.collect()
        code = 0 if alone else 2
    finally:
        os._exit(code)


def test_a_program_that_forgets_to_close_it_ends(sandbox):
    """Its thread keeps nobody."""
    code = (
        "import sys; from altcraft_balance import ByEmail; "
        "from altcraft_balance.blocking import BalanceClient; "
        "client = BalanceClient(sys.argv[1], token='sandbox-token', loyalty_program_id=1); "
        "client.open(); print(client.get_balance(ByEmail('user@example.com')).total_balance > 0)"
    )
    command = [sys.executable, "-c", code, sandbox.url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
