"""The types that users' checkers see."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict", "--config-file="],
    "pyright": ["-m", "pyright"],
}


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_public_face_has_the_promised_types(checker, request, monkeypatch):
    """Both checkers accept correct use, and see the mistakes in the wrong uses.

    The lazy package does not make them accept any name. One run sees both files.
    """
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    monkeypatch.setenv("MYPY_CACHE_DIR", str(request.config.cache.mkdir("mypy")))
    files = (str(HERE / "api.py"), str(HERE / "misspelt.py"))
    command = [sys.executable, *CHECKERS[checker], *files]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    errors = [line for line in outcome.stdout.splitlines() if " error: " in line]
    assert outcome.returncode == 1, outcome.stdout
    assert all("misspelt.py" in line and "BalanceKlient" in line for line in errors), errors
    assert errors
