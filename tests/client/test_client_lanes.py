"""Which transport a client takes, and a package that does not need the fast lane."""

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import altcraft_balance
from altcraft_balance.client import BalanceClient
from altcraft_balance.models import ByEmail
from altcraft_balance.sandbox import Sandbox
from tests.session.fakes import TOKEN, URL

ROOT = Path(altcraft_balance.__file__).parent
DIRECT = "altcraft_balance.transport.direct"

#: Hides modules by how their names begin, as if their files had been taken out.
HIDE = """
import sys

class Finder:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.startswith({hidden!r}) else self.finder.find_spec(name, path, target)

sys.meta_path[:] = map(Finder, sys.meta_path)
"""
#: Imports all that is left, and looks a member up.
EVERYTHING = """
import asyncio, importlib, pkgutil
import altcraft_balance
from altcraft_balance import BalanceClient, ByEmail, Sandbox

for module in pkgutil.walk_packages(altcraft_balance.__path__, "altcraft_balance."):
    if not module.name.startswith(("altcraft_balance.transport.direct", "altcraft_balance.__main")):
        importlib.import_module(module.name)

async def main():
    async with Sandbox() as server:
        client = BalanceClient(server.url, token="sandbox-token", loyalty_program_id=123)
        async with client:
            print((await client.get_balance(ByEmail("user@example.com"))).total_balance)

asyncio.run(main())
"""
#: Asks for the fast lane.
ASKED_FOR = """
from altcraft_balance import BalanceClient, ConfigurationError

try:
    BalanceClient("https://ru.altkraft.com", token="t0ken", transport="direct")
except ConfigurationError as error:
    print(error)
    assert error.__context__ is None
"""


def child(code, *, hidden):
    """What a fresh interpreter prints, in which modules are hidden."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", HIDE.format(hidden=hidden) + code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    ).stdout


def test_the_fast_lane_is_chosen_by_name():
    """Made from the client's settings, without opening anything."""
    client = BalanceClient(URL, token=TOKEN, transport="direct")
    transport = client._session.transport
    assert type(transport).__module__ == DIRECT
    assert type(transport).__name__ == "DirectTransport"


@pytest.mark.parametrize("transport", ["aiohttp", "direct"])
def test_either_lane_looks_a_member_up(transport):
    """The same balance, over real sockets."""
    one = ByEmail("user@example.com")

    async def main():
        async with Sandbox() as server:
            client = BalanceClient(
                server.url, token="sandbox-token", loyalty_program_id=123, transport=transport
            )
            async with client:
                balance = await client.get_balance(one)
            truth = server.balance_of(one, loyalty_program_id=123)
            assert balance.total_balance == truth.total_balance

    asyncio.run(main())


def test_without_its_parser_the_fast_lane_names_the_extra():
    """When the client is made, and not at its first lookup."""
    assert child(ASKED_FOR, hidden="httptools") == (
        "the transport 'direct' needs the extra 'speed': python -m pip install "
        "'altcraft-balance[speed]'\n"
    )


def test_without_the_fast_lane_the_package_is_whole():
    """Every other module can be imported, and a member be looked up."""
    assert float(child(EVERYTHING, hidden=DIRECT)) > 0


def test_only_the_client_knows_of_the_fast_lane():
    """Not even in a function."""
    know = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if not path.name.startswith("direct")
        if any(_is_direct(node) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    }
    assert know == {"client.py"}


def _is_direct(node):
    if isinstance(node, ast.ImportFrom):
        names = [node.module or "", *(f"{node.module}.{name.name}" for name in node.names)]
        return any(name.startswith(DIRECT) for name in names)
    return isinstance(node, ast.Import) and any(n.name.startswith(DIRECT) for n in node.names)
