"""Tries the installed wheel in an environment that holds nothing else."""

import asyncio
import importlib.metadata
import importlib.util
from decimal import Decimal
from pathlib import Path

import altcraft_balance
from altcraft_balance import BalanceClient, ByEmail, Sandbox

HOME = Path(altcraft_balance.__file__).parent


async def main() -> None:
    """Look one member up through the installed package, in both formats."""
    async with Sandbox() as sandbox:
        for form in ("json", "xml"):
            client = BalanceClient(
                sandbox.url, token="sandbox-token", loyalty_program_id=123, format=form
            )
            async with client:
                balance = await client.get_balance(ByEmail("user@example.com"))
            assert isinstance(balance.total_balance, Decimal)


assert "site-packages" in str(HOME), HOME
assert (HOME / "py.typed").is_file(), "py.typed is not in the wheel"
assert (HOME / "codec" / "protocol.md").is_file(), "the protocol's page is not in the wheel"
assert (HOME / "refresh" / "report" / "style.css").is_file(), "the style is not in the wheel"
assert importlib.util.find_spec("tests") is None, "the tests are in the wheel"
assert importlib.metadata.version("altcraft-balance") == altcraft_balance.__version__
asyncio.run(main())
