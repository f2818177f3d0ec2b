"""The types that users' checkers see."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict", "--no-incremental", "--config-file="],
    "pyright": ["-m", "pyright"],
}


def run(checker: str, file: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    command = [sys.executable, *CHECKERS[checker], str(HERE / file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_public_face_has_the_promised_types(checker):
    """Both checkers accept correct use, and see the mistakes in the wrong uses."""
    outcome = run(checker, "api.py")
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_misspelt_name_is_refused(checker):
    """The lazy package does not make checkers accept any name."""
    outcome = run(checker, "misspelt.py")
    assert outcome.returncode == 1
    assert "BalanceKlient" in outcome.stdout
