"""Row 30: floor and tip. Each run's table says what it was on; ``nox -f .ci/noxfile.py`` has many.

Those with the oldest versions that are promised, the newest, each Python found, and uvloop.
"""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

CORE = ("aiohttp", "attrs", "orjson", "xmltodict")
#: All that users may ask for, and what the tests need.
EXTRAS = (
    *("", "cli", "faststream", "otel", "parquet", "prometheus", "report", "shared-rate"),
    *("speed", "sql", "test", "zstd"),
)


def test_nothing_here_is_older_than_promised(promise):
    """A bound that is above what is installed would be promised and not tried."""
    stated = promise(30, "floor and tip: what this run was on")
    found = dict(installed())
    old = [
        f"{need} is wanted, {number} is here"
        for need, number in found.values()
        if not need.specifier.contains(number, prereleases=True)
    ]
    core = ", ".join(f"{name} {found[name][1]}" for name in CORE)
    stated.came(
        tried=len(found),
        failed=len(old),
        figure=f"Python {platform.python_version()}, {core}",
        why=old,
    )


def installed():
    """What the package needs, with any of its extras, and the versions that are here."""
    for need in map(Requirement, requires("altcraft-balance")):
        marker = need.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in EXTRAS):
            with suppress(PackageNotFoundError):
                yield need.name, (need, version(need.name))
