"""What importing the package costs, and what its root gives."""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import altcraft_balance

ROOT = Path(altcraft_balance.__file__).parent
SOURCE = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
PUBLIC = sorted(altcraft_balance.__all__)
#: The face, as the design settles it.
FACE = {
    "BalanceClient",
    *("ByEmail", "ByPhone", "ByProfileId", "ByCustomField", "RawMatching", "Matching"),
    *("Currency", "CurrencyIid", "CurrencyEid", "BalanceQuery", "Balance"),
    *("Found", "Failed", "Outcome", "RetryPolicy", "Timeouts", "Limits", "Secret", "Sandbox"),
    *("SharedRate", "RateTimetable"),
    *("refresh_balances", "RefreshSummary", "RowSource", "RowSink", "SourceInfo", "BadRow"),
    *("Column", "Opening", "CsvSource", "CsvSink", "JsonLinesSource", "JsonLinesSink"),
    *("ParquetSource", "ParquetSink", "SqlSource", "SqlSink", "PreviousFile"),
    *("AltcraftBalanceError", "ConfigurationError", "InvalidQuery", "ClientClosed"),
    *("ConnectionFailed", "TlsRefused", "AttemptTimeout", "DeadlineExceeded", "RateLimited"),
    *("CircuitOpen", "HttpStatusError", "RedirectRefused", "UnexpectedReply", "ApiError"),
    *("BadRequest", "AuthenticationError", "TariffLimitReached", "AccessDenied", "NotAMember"),
}

#: What does something, and needs something for it.
WORKERS = {"BalanceClient", "Sandbox", "refresh_balances", "JsonLinesSource", "JsonLinesSink"}
WORKERS |= {"SqlSource", "SqlSink", "PreviousFile"}


def child(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    return done.stdout


# ── importing ────────────────────────────────────────────────────────────────────────────────


def test_importing_the_package_imports_nothing_else():
    """No HTTP library, no parser, none of the package's own modules, until a name is used."""
    loaded = child(
        "import sys, typing; before = set(sys.modules); import altcraft_balance;"
        "print(*(set(sys.modules) - before))"
    )
    assert set(loaded.split()) <= {"altcraft_balance", "altcraft_balance.version"}


def test_a_word_imports_no_http_library():
    """Whoever uses models, errors or settings alone does not pay for the rest."""
    heavy = {"aiohttp", "orjson", "xmltodict", "asyncio", "typer"}
    # Each word in a fork of an interpreter that has imported none of them: 50 starts cost seconds.
    loaded = child(
        "import os, sys, altcraft_balance\n"
        f"for name in {sorted(FACE - WORKERS)}:\n"
        "    if not os.fork():\n"
        "        getattr(altcraft_balance, name)\n"
        f"        print(name, *(sys.modules.keys() & {heavy}), flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    assert loaded.split("\n")[:-1] == sorted(FACE - WORKERS)


def test_importing_the_package_costs_less_than_60_ms():
    """The CPU time of an import, over that of an interpreter that imports nothing."""
    runs = {"pass": [], "import altcraft_balance": []}
    for _ in range(5):
        for code, times in runs.items():
            times.append(float(child(f"{code}\nimport time; print(time.process_time())")))
    empty, ours = map(statistics.median, runs.values())
    assert ours - empty < 0.060


# ── the names ────────────────────────────────────────────────────────────────────────────────


def test_the_face_is_what_the_design_settles():
    """Neither a name more nor one less."""
    assert set(PUBLIC) == FACE | {"__version__"}
    assert sorted(dir(altcraft_balance)) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_name_is_the_same_object_each_time(name):
    """The first use loads it; the second gives the same, and it is where its module says."""
    first, second = getattr(altcraft_balance, name), getattr(altcraft_balance, name)
    assert first is second is vars(altcraft_balance)[name], "loaded once, then a plain name"
    assert not isinstance(first, type(sys))


def test_type_checkers_and_the_interpreter_see_the_same_names():
    """What stands under ``if TYPE_CHECKING`` is what is loaded, from the same modules."""
    checked = {}
    for block in SOURCE.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                for alias in line.names:
                    assert alias.asname == alias.name, "re-exported as X as X"
                    checked[alias.name] = line.module
    assert checked == {
        name: f"altcraft_balance.{module}" for name, module in altcraft_balance._HOME.items()
    }


def test_no_name_is_also_a_modules():
    """A name like a module's gives the object first and the module ever after."""
    modules = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not modules & set(PUBLIC)


def test_a_name_that_is_not_there_is_an_attribute_error():
    """Misspelt names fail like anywhere else."""
    with pytest.raises(AttributeError, match="has no attribute 'ByMail'"):
        altcraft_balance.ByMail  # noqa: B018


def test_every_test_file_has_a_name_of_its_own():
    """Two files of one name would be one module."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))


#: Modules that a system other than POSIX lacks.
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty", "uvloop"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_needs_posix_to_be_imported(path):
    """On Windows a module says what it lacks when it is asked for that, not before."""
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        alias.name.partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
    }
    assert not names & POSIX_ONLY
