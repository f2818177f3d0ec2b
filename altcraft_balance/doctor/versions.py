"""Versions of what matters, against the least that is known to be safe."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Final

from altcraft_balance.doctor.finding import Finding
from altcraft_balance.version import __version__

__all__ = ["MINIMUMS", "check_versions"]

#: Older ones have holes or read numbers otherwise; the package's metadata asks for the same.
MINIMUMS: Final = {"aiohttp": "3.14.5", "attrs": "24.2", "orjson": "3.11.6", "xmltodict": "1.0.1"}
_PYTHON: Final = (3, 11)


def check_versions(version_of: Callable[[str], str] = metadata.version) -> Finding:
    """Whether all are new enough; `version_of` gives an installed distribution's version."""
    found, old = [f"Python {sys.version.split()[0]}"], []
    if sys.version_info[:2] < _PYTHON:
        old.append("Python 3.11")
    for name, least in MINIMUMS.items():
        try:
            installed = version_of(name)
        except metadata.PackageNotFoundError:
            installed = "none"
        found.append(f"{name} {installed}")
        if _numbers(installed) < _numbers(least):
            old.append(f"{name}>={least}")
    says = f"altcraft-balance {__version__}; {', '.join(found)}"
    if not old:
        return Finding(check="versions", says=says)
    wanted = " ".join(f"'{one}'" for one in old)
    advice = f"bring them up to date: python -m pip install --upgrade {wanted}"
    return Finding(check="versions", state="failed", says=says, advice=advice)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
