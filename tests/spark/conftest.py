"""Spark, where it is installed; what it needs is started by the tests, and ended."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.blocking.conftest import serve

__all__ = ["serve"]
ROOT = Path(__file__).parents[2]
CLUSTER = "local-cluster[2,1,700]"
#: For a JVM that lives for seconds: a third of its time went into compiling what runs once.
BRIEF = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def python_path(*first):
    """Where a driver, its executors and their workers find what these tests have found."""
    return os.pathsep.join([*map(str, first), str(ROOT), os.environ.get("PYTHONPATH", "")])


def pytest_collection_modifyitems(items):
    """All that lies here is Spark's."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.spark)
            item.add_marker(pytest.mark.slow)
            if reason := missing():
                item.add_marker(pytest.mark.skip(reason=reason))


def missing():
    """Why there is no Spark; "" when there is."""
    if find_spec("pyspark") is None:
        return "the extra spark is not installed"
    java = shutil.which("java") or os.environ.get("JAVA_HOME")
    return "" if java else "there is no Java: Spark needs a JDK, 17 say"


def environment(**further):
    """Of a program that starts Spark."""
    return {
        **os.environ,
        "PYTHONPATH": python_path(*further.pop("path", [])),
        "PYTHONDEVMODE": "",
        "PYSPARK_PYTHON": sys.executable,
        "ALTCRAFT_TOKEN": "sandbox-token",
        "ALTCRAFT_LOYALTY_PROGRAM_ID": "123",
        "JDK_JAVA_OPTIONS": BRIEF,
        "SPARK_LOCAL_IP": "127.0.0.1",
        **further,
    }


class Driver:
    """A refresh that runs in a process group of its own."""

    def __init__(self, told, log, **further):
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.spark.driver", json.dumps(told)],
            cwd=ROOT,
            env=environment(SPARK_LOCAL_DIRS=told["folder"], **further),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )

    def ready(self):
        """Wait for its session."""
        assert self.process.stdout.readline() == "ready\n"

    def ended(self, limit_s=240):
        """What it came to."""
        out, _ = self.process.communicate(timeout=limit_s)
        return json.loads(out.splitlines()[-1])

    def executors(self):
        """The processes of its executors."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (place / "cmdline").read_bytes()
                if b"CoarseGrainedExecutorBackend" in command and self._is_ours(place):
                    found.append(int(place.name))
        return found

    def _is_ours(self, place):
        return os.getpgid(int(place.name)) == self.process.pid

    def kill(self):
        """It, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self._log.close()


@pytest.fixture
def drive(tmp_path):
    """Starts drivers; none is left."""
    started = []

    def drive(told, **further):
        told = {"folder": str(tmp_path), **told}
        started.append(Driver(told, tmp_path / "log", **further))
        return started[-1]

    yield drive
    for driver in started:
        driver.kill()
