"""What may import what, what importing costs, and what the package's root gives."""

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
    *("AltcraftBalanceError", "ConfigurationError", "InvalidQuery", "ClientClosed"),
    *("ConnectionFailed", "TlsRefused", "AttemptTimeout", "DeadlineExceeded", "RateLimited"),
    *("CircuitOpen", "HttpStatusError", "RedirectRefused", "UnexpectedReply", "ApiError"),
    *("BadRequest", "AuthenticationError", "TariffLimitReached", "AccessDenied", "NotAMember"),
}
#: Each floor imports from those above it in this list, and rooms on one floor not each other.
FLOORS = [
    {"version", "errors", "secret", "fields", "models", "settings", "environment"},
    {"codec", "policy"},
    {"transport", "telemetry"},
    {"session"},
    {"batch"},
    {"client", "sandbox"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
IMPURE = {"asyncio", "socket", "ssl", "random", "secrets", "time", "os", "aiohttp", "threading"}


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


@pytest.mark.parametrize("name", sorted(FACE - {"BalanceClient", "Sandbox"}))
def test_a_word_imports_no_http_library(name):
    """Whoever uses models, errors or settings alone does not pay for the rest."""
    loaded = child(
        f"import sys; from altcraft_balance import {name};"
        "print(*(sys.modules.keys() & {'aiohttp', 'orjson', 'xmltodict', 'asyncio', 'typer'}))"
    )
    assert not loaded.split()


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


# ── the floors ───────────────────────────────────────────────────────────────────────────────


def imports_of(path):
    """All modules that a file imports, at any depth, as (name, line)."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            if node.module == "altcraft_balance":
                yield from ((f"{node.module}.{a.name}", node.lineno) for a in node.names)
            else:
                yield node.module, node.lineno


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_go_down(path):
    """A module imports from floors below its own or from its own room, never from the root."""
    room = room_of(path)
    for name, line in imports_of(path):
        if name.partition(".")[0] != "altcraft_balance":
            continue
        target = name.split(".")[1] if "." in name else "the root"
        same_floor_of_files = FLOOR_OF[room] == 0 == FLOOR_OF.get(target)
        down = target in FLOOR_OF and FLOOR_OF[target] < FLOOR_OF[room]
        assert target == room or same_floor_of_files or down, f"{path}:{line} imports {name}"


@pytest.mark.parametrize("room", ["codec", "policy"])
def test_decisions_are_pure(room):
    """No clock, loop, socket, randomness or environment of their own."""
    for path in (ROOT / room).glob("*.py"):
        for name, line in imports_of(path):
            assert name.partition(".")[0] not in IMPURE, f"{path}:{line} imports {name}"


def test_the_sandbox_shares_no_code_with_the_codec():
    """Neither hides the other's mistake."""
    for path in (ROOT / "sandbox").glob("*.py"):
        for name, line in imports_of(path):
            assert not name.startswith("altcraft_balance.codec"), f"{path}:{line} imports {name}"


def test_every_test_file_has_a_name_of_its_own():
    """Two files of one name would be one module."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))
