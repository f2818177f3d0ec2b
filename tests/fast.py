"""The environment of programs whose speed matters."""

import os

#: Development mode and coverage make a lookup three to twenty times slower.
_SLOWERS = (
    "PYTHONDEVMODE",
    "PYTHONASYNCIODEBUG",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "PYTEST_ADDOPTS",  # by which CI asks for coverage, and for how much there must be
)


def fast_environment(**further):
    """This process's environment without what slows a program down, and with `further`."""
    kept = {name: value for name, value in os.environ.items() if name not in _SLOWERS}
    return kept | further
