"""When workers run in parallel, a test that measures time runs beside no other."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Each test waits a little for another one to be under way, and notes what it has seen.
TESTS = """
import os, time
from pathlib import Path
import pytest
HERE = Path(__file__).parent

def note(name):
    mine = HERE / f"{name}.running"
    mine.touch()
    end, seen = time.monotonic() + 0.2, set()
    while time.monotonic() < end:
        seen |= {path.stem for path in HERE.glob("*.running")} - {name}
    mine.unlink()
    (HERE / f"{name}.seen").write_text(" ".join(seen))

@pytest.mark.parametrize("number", range(4))
def test_usual(number):
    note(f"usual{number}")

@pytest.mark.alone
@pytest.mark.parametrize("number", range(2))
def test_alone(number):
    note(f"alone{number}")
"""


def test_nothing_runs_beside_it(tmp_path):
    """The usual tests of two workers do meet."""
    conftest = (ROOT / "tests" / "conftest.py").read_text("utf-8")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ["-n", "2", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *options, f"--rootdir={tmp_path}"]
    own = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT, env=own
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = {path.stem: path.read_text() for path in tmp_path.glob("*.seen")}
    assert len(seen) == 6
    assert seen["alone0"] == seen["alone1"] == ""
    assert not any("alone" in others for others in seen.values())
    assert any(seen.values())
