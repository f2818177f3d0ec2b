"""The suite where others run it: ``nox -f .ci/noxfile.py``, row 30 of what is promised.

Each session makes an environment of its own and runs the README's command in it. A Python that is
not on this machine is skipped; nox says so. ``-s floor`` runs one of them, ``-l`` lists them.
"""

import os
from pathlib import Path

import nox

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ".ci/constraints.txt"
FLOOR = "3.11"
PYTHONS = [FLOOR, "3.12", "3.13", "3.14", "3.15"]
#: What runs on whichever loop it gets, and neither turns its clock nor counts its turns. The rest
#: of the transport's tests stand in for asyncio's own resolver, selector or buffers.
ON_ANY_LOOP = [
    *("tests/client", "tests/sandbox", "tests/transport"),
    "--ignore=tests/transport/test_transport_direct_dial.py",
    "--ignore=tests/transport/test_transport_greeting.py",
    "--deselect=tests/transport/test_transport_wire.py::test_a_body_of_any_size_travels_whole",
]
#: In parallel, and as many cases, as in CI; on a machine with one core the former changes nothing.
AS_IN_CI = {"PYTEST_ADDOPTS": "--scale small -n auto --dist worksteal"}

nox.options.sessions = ["floor", "tip", "tests", "uvloop"]
nox.options.error_on_missing_interpreters = False

# pyenv's own names for these work only where they were switched on.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
_HOMES = [str(home) for home in sorted(_PYENV.glob("*/bin"), reverse=True)]
os.environ["PATH"] = os.pathsep.join([*_HOMES, os.environ["PATH"]])


def _install(session: nox.Session, *more: str, extras: str = "test") -> None:
    session.chdir(ROOT)
    session.install("--upgrade", "pip")
    # Beside the real urllib3, not in its place: see .ci/run.
    fork = ("--no-binary", "urllib3-future") if "bench" in extras else ()
    session.install(*fork, "-e", f".[{extras}]", *more, env={"URLLIB3_NO_OVERRIDE": "1"})


def _test(session: nox.Session, *more: str) -> None:
    session.run("python", "-m", "pytest", *more, *session.posargs, env=AS_IN_CI)


@nox.session(python=FLOOR)
def floor(session: nox.Session) -> None:
    """The oldest dependencies that are promised."""
    _install(session, "-c", ".ci/floor.txt")
    _test(session)


@nox.session(python=FLOOR)
def tip(session: nox.Session) -> None:
    """The newest of everything, whatever CI is held to."""
    _install(session, "--upgrade", "--upgrade-strategy", "eager")
    _test(session)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Each Python that is found, with what CI installs."""
    _install(session, "-c", CONSTRAINTS)
    _test(session)


@nox.session(python=FLOOR)
def uvloop(session: nox.Session) -> None:
    """The asynchronous tests that any loop must pass, on uvloop."""
    _install(session, "-c", CONSTRAINTS)
    _test(session, "--loop", "uvloop", *ON_ANY_LOOP)


@nox.session(python=FLOOR, default=False)
def constraints(session: nox.Session) -> None:
    """Write `constraints.txt` anew, of the newest."""
    # hatchling and editables build a wheel; a part of Spark's tests speaks Connect.
    _install(session, "hatchling", "editables", "pyspark[connect]", extras="dev,bench,spark")
    pins = session.run("python", "-m", "pip", "freeze", "--all", "--exclude-editable", silent=True)
    head = "# What CI installs, exactly. Made by: nox -f .ci/noxfile.py -s constraints\n"
    kept = [pin for pin in (pins or "").splitlines() if not pin.startswith("setuptools==")]
    (ROOT / CONSTRAINTS).write_text(head + "\n".join(kept) + "\n", encoding="utf-8")
