"""README's promises about itself: what it shows runs, what it lists exists."""

import ast
import asyncio
import inspect
import itertools
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from altcraft_balance import BalanceClient, Sandbox, Secret
from altcraft_balance import errors as errors_module
from altcraft_balance.environment import VARIABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
#: A block that names a public host is compiled only (and its names are resolved).
OFFLINE = [block for block in BLOCKS if "https://" not in block and "pyspark" not in block]


def compiled(block):
    return compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def run(block):
    code = compiled(block)
    names = {"__name__": "readme"}
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)
    else:
        await asyncio.to_thread(exec, code, names)  # a program without a loop
    return names


@pytest.fixture
async def sandbox(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    async with Sandbox() as server:
        monkeypatch.setenv("ALTCRAFT_BASE_URL", server.url)
        monkeypatch.setenv("ALTCRAFT_TOKEN", "sandbox-token")
        monkeypatch.setenv("ALTCRAFT_LOYALTY_PROGRAM_ID", "123")
        yield server


def marked(block):
    """polars keeps the threads that it has begun."""
    keeps = [pytest.mark.may_leave("its threads")] if "import polars" in block else []
    return pytest.param(block, marks=keeps)


@pytest.mark.parametrize("block", [*map(marked, OFFLINE)], ids=range(len(OFFLINE)))
async def test_every_python_block_runs(sandbox, block, capsys):
    """Each block does what it says, against a sandbox."""
    for name in re.findall(r"^import (polars)", block, re.MULTILINE):
        pytest.importorskip(name)
    await run(block)
    assert "error" not in capsys.readouterr().out


async def test_the_block_that_names_a_host_makes_a_client(tmp_path):
    """The block with the constructor runs too, up to the point where it would connect."""
    (block,) = [block for block in BLOCKS if "https://" in block]
    names = await run(block)
    assert isinstance(names["client"], BalanceClient)
    assert names["Secret"] is Secret


def test_the_two_commands_stand_at_the_top():
    """The two commands are there, to the letter."""
    assert "python -m pip install -e '.[cli]' && altcraft-balance demo" in README
    assert "python -m pip install -e '.[test]' && python -m pytest" in README


def test_every_setting_is_in_the_table():
    """The settings table has each argument of the client and each variable."""
    table = README.split("## Settings")[1].split("\n## ")[0]
    for argument in inspect.signature(BalanceClient.__init__).parameters:
        assert argument == "self" or re.search(rf"`{argument}[`=]", table), argument
    for variable in VARIABLES:
        assert f"`{variable}`" in table, variable


def test_every_error_is_in_the_table():
    """The errors table has each class that a user may meet now."""
    table = README.split("## Errors")[1].split("\n## ")[0]
    for name in set(errors_module.__all__) - {"API_ERRORS"}:
        assert f"`{name}`" in table or name == "AltcraftBalanceError", name


def test_every_test_shown_to_the_reviewer_is_there():
    """Each threat has a test, and the test exists."""
    table = README.split("## For the reviewer")[1].split("\nNot guarded")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 8
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)`", row.split(" | ")[-1])
        assert named, row
        for name in named:
            path = name if "/" in name else f"tests/promises/{name}"
            assert (ROOT / path).is_file(), name


def test_the_reviewer_is_told_every_dependency():
    """The core ones, what aiohttp brings, and what each extra for users names."""
    told = README.split("\nDependencies: ")[1].split("\n\n")[0].lower()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    of_users = [extras[name] for name in extras.keys() - {"test", "bench", "dev", "fuzz"}]
    for text in itertools.chain(project["dependencies"], requires("aiohttp"), *of_users):
        one = Requirement(text)
        if one.name == project["name"]:  # another extra of its own
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            assert one.name.lower() in told, text
