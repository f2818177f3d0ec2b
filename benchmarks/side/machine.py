"""Where the figures come from: the machine, and the versions of all that took part."""

import os
import platform
import ssl
import sys
from pathlib import Path
from typing import Any

from benchmarks.side.child import version


def machine(server: str) -> dict[str, Any]:
    """The machine as JSON; `server` is who answered.

    ``load`` is the average of the minute before: with others at work, figures are only for trying.
    """
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "uvloop": version("uvloop"),
        "server": server,
        "load": round(os.getloadavg()[0], 2),
        "command": ["python -m benchmarks", *sys.argv[1:]],
    }


def described(found: dict[str, Any]) -> str:
    """The same in two lines of text."""
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['kernel']}, load {found['load']} "
        f"before it began\n"
        f"Python {found['python']}, {found['openssl']}, uvloop {found['uvloop']}, "
        f"server: {found['server']}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unknown CPU"
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, "an unknown CPU")
