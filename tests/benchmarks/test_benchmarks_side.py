"""The side-by-side suite: the same check for every client, and figures that are kept whole."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from decimal import Decimal
from pathlib import Path

import pytest

from altcraft_balance.sandbox import Sandbox
from benchmarks.side.answer import CONTENT_TYPES, REPLIES, Target, WrongAnswer, right
from benchmarks.side.children import Child
from benchmarks.side.clients import CLIENTS, HOUSE, load
from benchmarks.side.drive import measure
from benchmarks.side.figures import ratio, spread
from benchmarks.side.options import Options, parse
from benchmarks.side.ratios import ratios
from benchmarks.side.server import nginx
from benchmarks.side.svg import chart
from tests.fast import fast_environment

ROOT = Path(__file__).parents[2]


def run(folder, *arguments):
    """What `python -m benchmarks` keeps, by part."""
    command = [sys.executable, "-m", "benchmarks", "--quick", "--results", str(folder), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=fast_environment()
    )
    assert ended.returncode == 0, ended.stderr
    for kept in folder.glob("*.txt"):
        assert kept.read_text() in ended.stdout
    return {kept.stem: json.loads(kept.read_text()) for kept in folder.glob("*.json")}


def test_every_lookup_of_every_client_is_checked(size, tmp_path):
    """The house's own rows, the floor and aiohttp, against the sandbox."""
    if size("more", quick="few") == "few":
        pytest.skip("at a larger size")
    kept = run(
        tmp_path,
        *("--server", "sandbox", "--only", "table,codec", "--loops", "asyncio"),
        *("--svg", str(tmp_path / "cpu.svg")),
    )
    table = kept["table"]
    measured = {cell["client"] for cell in table["cells"]}
    absent = {name.partition(" ")[0] for name in table["missing"]}
    assert measured | absent == set(HOUSE)
    assert measured >= {"default", "default-calls", "floor", "aiohttp-tuned", "aiohttp"}
    for cell in table["cells"]:
        assert (cell["failed"], cell["trouble"]) == (0, "")
        assert cell["checked"] == cell["lookups"] > 0
        assert (cell["format"], cell["connection"], cell["at"]) == ("json", "plain", 16)
        for figure in ("cpu_us", "per_s", "p50_ms", "p99_ms"):
            assert 0 < cell[figure]["low"] <= cell[figure]["median"] <= cell[figure]["high"]
            assert len(cell[figure]["runs"]) == 1
    assert {"cpu", "cores", "kernel", "python", "openssl", "server"} <= table["machine"].keys()
    assert table["clients"]["aiohttp"]["versions"].keys() == {"aiohttp"}
    assert any(row["of"] == "default" and row["to"] == "aiohttp" for row in table["ratios"])
    assert all(row["us"]["median"] > 0 for row in kept["codec"]["rows"])
    assert (tmp_path / "cpu.svg").read_text().startswith("<svg")


@pytest.mark.server
@pytest.mark.skipif(nginx() is None, reason="nginx is not installed")
def test_nginx_answers_in_both_formats_on_both_connections(tmp_path):
    """Started and ended by the benchmark; its certificate is verified."""
    kept = run(
        tmp_path,
        *("--server", "nginx", "--only", "table", "--clients", "default,floor,aiohttp"),
        *("--formats", "json,xml", "--loops", "asyncio"),
    )
    cells = kept["table"]["cells"]
    assert len(cells) == 12
    assert all(cell["checked"] == cell["lookups"] and not cell["failed"] for cell in cells)


@pytest.mark.may_leave("clients in Rust keep a runtime for the process")
@pytest.mark.parametrize("syntax", REPLIES)
@pytest.mark.parametrize("name", [name for name in CLIENTS if not name.startswith("direct")])
async def test_a_wrong_amount_is_a_failed_lookup(name, syntax):
    """Nobody is quick by not looking."""
    kind = _client(name)
    reply = REPLIES[syntax].replace(b"800.50", b"800.51")
    async with Sandbox() as sandbox:
        sandbox.answer(None, body=reply, headers={"Content-Type": CONTENT_TYPES[syntax]})
        target = Target(base_url=sandbox.url, format=syntax, at=2)
        result = await measure(kind, target, 6)
    assert result["checked"] == 0
    assert result["failed"] == 6 + 4  # the warm-up is looked at as well
    assert "WrongAnswer" in result["trouble"]


def _client(name):
    try:
        kind = load(name)
        kind.look()
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")
    return kind


def test_a_client_that_dies_is_told_and_started_again():
    """The rounds of the others go on, and its own."""
    child = Child("floor", "asyncio")
    try:
        child.meet()
        child._process.kill()
        refused = Target(base_url="http://127.0.0.1:1", format="json", at=1)
        first, then = (child.measure(refused, 1)["trouble"] for _ in range(2))
    finally:
        child.end()
    assert first == "its process ended; it said last: nothing"
    assert then.startswith("ConnectionRefusedError")


@pytest.mark.parametrize(
    "wrong", [(500, 0, "1000.00", "800.50"), (200, 1, "1000.00", "800.50"), (200, 0, "1", "800.50")]
)
def test_status_error_and_amounts_are_compared(wrong):
    """Amounts as `Decimal`: other digits of the same amount are right."""
    assert right(200, 0, "1000.0", "800.500") == 1
    with pytest.raises(WrongAnswer):
        right(*wrong)


def test_a_client_that_is_not_installed_is_a_line_not_a_failure():
    """One sentence, with what to install."""
    without = (
        "import sys; sys.modules['httpx'] = None; sys.argv[1:] = ['httpx', 'asyncio']; "
        "from benchmarks.side.child import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, check=True, cwd=ROOT
    )
    sentence = "httpx is not installed: pip install -e '.[test,bench]'"
    assert json.loads(ended.stdout) == {"missing": sentence}


def test_a_misspelt_client_is_named(capsys):
    """With what there is."""
    with pytest.raises(SystemExit, match="2"):
        parse(["--clients", "floor,aiohtpp"])
    assert "there is no 'aiohtpp'; choose from direct, direct-calls" in capsys.readouterr().err


def test_more_and_less_can_be_asked_for():
    """A given option comes before what --full or --quick say."""
    assert parse([]) == Options()
    assert parse(["--full"]).at == (1, 16, 64, 256, 1024)
    assert parse(["--full", "--at", "1,64"]).at == (1, 64)
    assert parse(["--quick"]).clients == HOUSE


def test_the_median_of_the_rounds_is_told():
    """A round that something disturbed moves neither median nor ratio."""
    assert spread([1.0, 2.0, 90.0]).median == 2.0
    assert ratio([2.0, 20.0, None, 5.0], [1.0, 10.0, 3.0, None]).median == 2.0
    assert ratio([None], [1.0]) is None


def _cell(client, loop, spent, failed=0):
    column = {"format": "json", "connection": "plain", "loop": loop, "at": 64}
    figure = {"median": spent, "low": spent * 0.9, "high": spent * 1.2, "runs": [spent]}
    return {"client": client, **column, "cpu_us": figure, "failed": failed}


CELLS = [
    _cell("direct", "asyncio", 40.0),
    _cell("direct", "uvloop", 20.0),
    _cell("floor", "uvloop", 10.0),
    _cell("pyreqwest", "asyncio", 50.0),
    _cell("pyreqwest", "uvloop", 60.0),
    _cell("aiohttp", "uvloop", 1.0, failed=3),
    _cell("httpx", "asyncio", 2000.0),
]


def test_ours_on_its_best_loop_is_compared_with_the_fastest_other_on_its_own():
    """One that fails is not fast."""
    told = {(row["of"], row["to"]): row["median"] for row in ratios(CELLS)}
    assert told == {
        ("direct", "floor"): 2.0,
        ("direct", "pyreqwest on asyncio, the fastest other"): 0.4,
    }


def test_the_chart_is_small_and_names_everybody():
    """Sorted, each client once, but who fails; one that is off the scale keeps its figure."""
    clients = {name: {"title": f"<{name}>", "ours": name == "direct"} for name in _names(CELLS)}
    machine = {"python": "3", "server": "a server", "cpu": "a CPU", "cores": 2}
    drawn = chart({"cells": CELLS, "clients": clients, "machine": machine}, 64)
    texts = [element.text or "" for element in ET.fromstring(drawn).iter()]
    names = [text for text in texts if text.startswith("<")]
    assert names == ["<floor>", "<direct>", "<pyreqwest>", "<httpx>"]
    assert texts.count("20 µs") == texts.count("2,000 µs") == 1
    assert "40 µs" not in texts
    assert len(drawn) < 20_000


def _names(cells):
    return {cell["client"] for cell in cells}


def test_the_expected_amounts_are_those_of_the_reply():
    """The floor compares bytes, all others amounts."""
    for reply in REPLIES.values():
        assert b"1000.00" in reply
        assert b"800.50" in reply
    assert Decimal("800.50") == Decimal("800.5")
