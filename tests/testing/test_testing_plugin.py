"""The fixtures that pytest has where the package is installed, in a project of its own."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.fast import fast_environment

pytestmark = pytest.mark.skipif(
    not any(
        one.value == "altcraft_balance.testing.plugin"
        for one in __import__("importlib.metadata").metadata.entry_points(group="pytest11")
    ),
    reason="the package was installed before it had a plug-in: install it again",
)

USERS = """
    from decimal import Decimal
    import pytest
    from altcraft_balance import ByEmail, NotAMember, RateLimited

    MEMBER = ByEmail("user@example.com")
    {mark}

    {asynchronous}
    async def test_the_page_shows_points(altcraft_sandbox, balance_client):
        altcraft_sandbox.set_balance(MEMBER, total_balance="120.50", active_balance=100)
        balance = await balance_client.get_balance(MEMBER)
        assert (balance.total_balance, balance.active_balance) == (Decimal("120.50"), 100)
        assert altcraft_sandbox.asked(MEMBER) == 1

    {asynchronous}
    @pytest.mark.altcraft_sandbox(token="another", latency_s=0.01)
    async def test_settings_come_by_a_marker(balance_client):
        assert (await balance_client.get_balance(MEMBER)).total_balance >= 0

    @pytest.mark.balance_client(not_a_member={{404}})
    def test_a_clients_settings_come_by_a_marker(altcraft_sandbox, blocking_balance_client):
        altcraft_sandbox.remove(MEMBER)
        with pytest.raises(NotAMember):
            blocking_balance_client.get_balance(MEMBER)

    def test_without_a_loop(altcraft_sandbox, blocking_balance_client):
        altcraft_sandbox.set_balance(MEMBER, total_balance=7)
        assert blocking_balance_client.get_balance(MEMBER).total_balance == 7
"""


README = Path(__file__).parents[2] / "README.md"
#: What pytest-asyncio itself warns of.
QUIET = ("-o", "asyncio_default_fixture_loop_scope=function")


@pytest.fixture
def run(tmp_path):
    """Runs pytest in a project of its own; its last line."""

    def run(text, *arguments):
        (tmp_path / "test_users.py").write_text(dedent(text))
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-W", "error", *QUIET, *arguments],
            cwd=tmp_path,
            env=fast_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.stdout + ended.stderr

    return run


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_it_works_with_pytest_asyncio(run, mode):
    """In both of its modes, without a line of configuration of ours."""
    asynchronous = "@pytest.mark.asyncio" if mode == "strict" else ""
    text = USERS.format(mark="", asynchronous=asynchronous)
    said = run(text, "-o", f"asyncio_mode={mode}", "--strict-markers")
    assert "4 passed" in said, said


def test_it_costs_nothing_where_nobody_uses_it(run):
    """pytest imports the plug-in everywhere: no module of ours comes with it."""
    said = run(
        """
        import sys

        def test_nothing_is_imported():
            ours = {name for name in sys.modules if name.startswith("altcraft_balance")}
            assert ours <= {
                "altcraft_balance",
                "altcraft_balance.testing",
                "altcraft_balance.testing.plugin",
                "altcraft_balance.version",
            }
        """
    )
    assert "1 passed" in said, said


def test_the_readmes_test_passes(run):
    """As it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    [block] = [one for one in blocks if "async def test_" in one]
    said = run(block, "--strict-markers")
    assert "1 passed" in said, said
