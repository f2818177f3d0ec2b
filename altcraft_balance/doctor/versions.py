"""Versions of what matters, against the least that is known to be safe."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Final

from altcraft_balance.doctor.finding import Finding
from altcraft_balance.version import __version__

__all__ = ["MINIMUMS", "check_versions"]

#: Older ones have holes or read numbers otherwise; the package's metadata asks for the same.
MINIMUMS: Final = {"aiohttp": "3.14.5", "attrs": "24.2", "orjson": "3.11.6", "xmltodict": "1.0.1"}
_PYTHON: Final = (3, 11)
#: A requirement of the package's metadata: name, extras, least version, and for which extra.
_REQUIREMENT: Final = re.compile(
    r"([\w.-]+)(?:\[[^\]]*\])?>=([\w.]+)(?:.*extra == ['\"]([\w-]+)['\"])?"
)
_FOR_DEVELOPERS: Final = frozenset({"bench", "dev", "test"})


def check_versions(version_of: Callable[[str], str] = metadata.version) -> Finding:
    """Whether all are new enough; `version_of` gives an installed distribution's version.

    What an extra brings is looked at where it is installed.
    """
    openssl = " ".join(ssl.OPENSSL_VERSION.split()[:2])
    found, old = [f"Python {sys.version.split()[0]}", openssl], []
    if sys.version_info[:2] < _PYTHON:
        old.append("Python 3.11")
    for name, least in {**MINIMUMS, **dict(_of_extras())}.items():
        try:
            installed = version_of(name)
        except metadata.PackageNotFoundError:
            if name not in MINIMUMS:
                continue
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


def _of_extras() -> Iterator[tuple[str, str]]:
    """What the extras that users choose ask for; nothing where the package is not installed."""
    try:
        requirements = metadata.requires("altcraft-balance") or []
    except metadata.PackageNotFoundError:
        return
    for text in requirements:
        found = _REQUIREMENT.match(text)
        if found and found[3] and found[3] not in _FOR_DEVELOPERS:
            yield found[1], found[2]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
