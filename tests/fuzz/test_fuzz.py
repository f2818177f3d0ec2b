"""The fuzzing command runs, and finds what is there to find."""

import importlib.util
import subprocess
import sys

import pytest

from tests.fast import fast_environment
from tests.fuzz import target
from tests.promises.table import ROOT

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed (extra: fuzz)"
)


def fuzz(*words, code="import tests.fuzz.__main__ as m; m.main()"):
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env=fast_environment(),
    )


@needs_atheris
def test_it_runs_from_the_recorded_replies(tmp_path):
    """As many inputs as it is told, guided by coverage of the codec, and none breaks it."""
    ended = fuzz("--runs=500", "--seed=1", f"--found={tmp_path}")
    assert ended.returncode == 0, ended.stderr
    assert "stat::number_of_executed_units: 500" in ended.stderr
    assert not list(tmp_path.glob("crash-*"))


@needs_atheris
def test_it_tells_what_it_finds(tmp_path):
    """A reading that raises anything else ends it, and the input is kept to be tried again."""
    code = (
        "import tests.fuzz.__main__ as m, altcraft_balance.codec.amounts as a\n"
        "def broken(value, name): raise KeyError(name)\n"
        "import altcraft_balance.codec.reply as r; r.read_amount = broken; m.main()"
    )
    ended = fuzz("--runs=500", "--seed=1", f"--found={tmp_path}", code=code)
    assert ended.returncode != 0
    assert "KeyError" in ended.stdout + ended.stderr
    (crash,) = tmp_path.glob("crash-*")
    assert fuzz(str(crash), f"--found={tmp_path}", code=code).returncode != 0
    assert fuzz(str(crash), f"--found={tmp_path}").returncode == 0


def test_without_atheris_it_says_what_to_install():
    """One sentence, not a traceback."""
    code = "import sys; sys.modules['atheris'] = None; import tests.fuzz.__main__ as m; m.main()"
    ended = fuzz("--runs=1", code=code)
    assert ended.returncode == 1
    assert ended.stderr == (
        "atheris is missing: pip install 'altcraft-balance[fuzz]' (Linux and macOS)\n"
    )


@pytest.mark.parametrize("choice", [0, 7, 128, 255])
def test_every_first_byte_is_a_case(choice):
    """And no bytes at all are one, too."""
    target.try_one(b"")
    for body in target.seeds():
        target.try_one(bytes([choice]) + body[1:])
