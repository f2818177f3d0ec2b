"""pytest's plug-in: a sandbox and a client of it, for the tests of programs that use this package.

pytest imports it in every project where this package is installed, so it imports nothing itself.

- `altcraft_sandbox`: a running `Sandbox`, a new one for each test; settings by a marker:
  ``@pytest.mark.altcraft_sandbox(latency_s=0.02, faults="status503=0.1")``.
- `balance_client`: an open `BalanceClient` of it, in asynchronous tests (pytest-asyncio or anyio);
  settings likewise: ``@pytest.mark.balance_client(not_a_member={404})``.
- `blocking_balance_client`: the same of `altcraft_balance.blocking`, in other tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from altcraft_balance import blocking
    from altcraft_balance.client import BalanceClient
    from altcraft_balance.sandbox import Sandbox

__all__ = ["altcraft_sandbox", "balance_client", "blocking_balance_client"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "altcraft_sandbox(**settings): settings of the Sandbox that the fixture altcraft_sandbox "
        "starts, such as latency_s=0.02 or faults='status503=0.1'",
    )
    config.addinivalue_line(
        "markers",
        "balance_client(**settings): settings of the client that the fixtures balance_client and "
        "blocking_balance_client open, such as not_a_member={404}",
    )


def _async_fixture(function: Any) -> Any:
    """A fixture for pytest-asyncio in both of its modes, or for anyio where there is none."""
    if find_spec("pytest_asyncio") is None:
        return pytest.fixture(function)
    from pytest_asyncio import fixture

    return fixture(function)


@pytest.fixture
def altcraft_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running `Sandbox`, on a loop of its own, so that any test can use it."""
    from altcraft_balance.blocking.loop_thread import LoopThread
    from altcraft_balance.sandbox import Sandbox

    try:
        sandbox = Sandbox(**_told(request))
    except TypeError as error:
        pytest.fail(f"the marker altcraft_sandbox: {error}", pytrace=False)
    thread = LoopThread()
    try:
        thread.call(sandbox.start())
        yield sandbox
        thread.call(sandbox.stop())
    finally:
        thread.end()


@_async_fixture
async def balance_client(
    request: pytest.FixtureRequest, altcraft_sandbox: Sandbox
) -> AsyncIterator[BalanceClient]:
    """An open `BalanceClient` of the sandbox."""
    from altcraft_balance.client import BalanceClient

    async with BalanceClient(altcraft_sandbox.url, **_settings(request)) as client:
        yield client


@pytest.fixture
def blocking_balance_client(
    request: pytest.FixtureRequest, altcraft_sandbox: Sandbox
) -> Iterator[blocking.BalanceClient]:
    """An open `altcraft_balance.blocking.BalanceClient` of the sandbox."""
    from altcraft_balance import blocking

    with blocking.BalanceClient(altcraft_sandbox.url, **_settings(request)) as client:
        yield client


def _told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the test's marker says."""
    return _marked(request, "altcraft_sandbox")


def _marked(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    mark = request.node.get_closest_marker(name)
    if mark is not None and mark.args:
        pytest.fail(f"the marker {name} takes settings by their names", pytrace=False)
    return {} if mark is None else dict(mark.kwargs)


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A client's that knows the token and the first program of its test's sandbox."""
    from altcraft_balance.sandbox.programs import PROGRAMS

    told = _told(request)
    programs = told.get("programs", PROGRAMS)
    return {
        "token": told.get("token", "sandbox-token"),
        "loyalty_program_id": next(iter(programs)),
        **_marked(request, "balance_client"),
    }
