"""What the table is for: this package against the floor, against aiohttp, against the fastest."""

from collections.abc import Iterator
from typing import Any

from benchmarks.side.clients import OURS
from benchmarks.side.figures import ratio

#: Pairs of clients whose ratio is told, in each column.
PAIRS = (
    ("direct", "floor"),
    ("direct-calls", "floor"),
    ("aiohttp-tuned", "direct"),
    ("aiohttp", "direct"),
    ("default", "aiohttp-tuned"),
    ("default", "aiohttp"),
)


def ratios(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """CPU per lookup of one client as a multiple of another's, as JSON.

    Runs of the same round are compared, and the median of the rounds is told. The fastest other
    client is the one with the lowest median on whichever loop suits it, and ours is on its best.
    """
    known = [cell for cell in cells if cell["cpu_us"] and not cell["failed"]]
    columns: dict[tuple, dict[str, dict]] = {}
    for cell in known:
        column = cell["format"], cell["at"], cell["connection"], cell["loop"]
        columns.setdefault(column, {})[cell["client"]] = cell
    rows = [
        _row(upper, lower, column, found[upper], found[lower])
        for column, found in columns.items()
        for upper, lower in PAIRS
        if upper in found and lower in found
    ]
    return rows + list(_against_the_fastest(known))


def _against_the_fastest(cells: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    blocks: dict[tuple, list[dict]] = {}
    for cell in cells:
        blocks.setdefault((cell["format"], cell["at"], cell["connection"]), []).append(cell)
    for block, found in blocks.items():
        found.sort(key=lambda cell: cell["cpu_us"]["median"])
        mine = [cell for cell in found if cell["client"] == "direct"]
        others = [cell for cell in found if cell["client"] not in (*OURS, "floor")]
        if mine and others:
            best, other = mine[0], others[0]
            name = f"{other['client']} on {other['loop']}, the fastest other"
            yield _row("direct", name, (*block, best["loop"]), best, other)


def _row(upper: str, lower: str, column: tuple, one: dict, other: dict) -> dict[str, Any]:
    found = ratio(one["cpu_us"]["runs"], other["cpu_us"]["runs"])
    named = dict(zip(("format", "at", "connection", "loop"), column, strict=True))
    return {"of": upper, "to": lower, **named} | (found.as_dict() if found else {})
