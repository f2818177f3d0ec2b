"""wrk, where it is installed: what the server and the loopback can do, whoever asks."""

import json
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.side.answer import Target, fields_of, xml_of

LEAST_S = 0.1


def measure(target: Target, condition: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """One run, one thread, as JSON: requests a second and its CPU each.

    Nothing without wrk, or when all is to be quick: it knows whole seconds only.
    """
    path = shutil.which("wrk")
    if path is None or seconds < LEAST_S:
        return []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_script(target))
        lasts = f"{max(1, round(seconds))}s"
        command = [path, "-t1", f"-c{target.at}", f"-d{lasts}", "-s", str(script), target.url]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    if rate is None or count is None or "Non-2xx" in said or not int(count[1]):
        return []
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [
        {
            **condition,
            "loop": "-",
            "per_s": float(rate[1]),
            "cpu_us": spent / int(count[1]) * 1e6,
        }
    ]


def _script(target: Target) -> str:
    """The same request for everybody: wrk has no members."""
    member = "member@example.com"
    is_json = target.format == "json"
    body = json.dumps(fields_of(member)) if is_json else xml_of(member).decode()
    headers = (f'wrk.headers["{name}"] = "{value}"' for name, value in target.headers.items())
    return "\n".join(('wrk.method = "POST"', f"wrk.body = '{body}'", *headers))
