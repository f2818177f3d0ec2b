"""What the codec costs: a query to the request's bytes, a reply's bytes to a `Balance`.

Beside each stands the least that the same step takes with a parser and two `Decimal`, and no
guard against a key twice, a long number, a document type or a member's address in a traceback.
"""

import json
import random
import time
import timeit
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from altcraft_balance.codec.reply import read_reply
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.models import BalanceQuery, ByEmail, CurrencyEid
from altcraft_balance.secret import HiddenStr
from benchmarks.side import draw
from benchmarks.side.answer import CURRENCY, PROGRAM, REPLIES, TOKEN, fields_of, xml_of
from benchmarks.side.figures import spread
from benchmarks.side.machine import described
from benchmarks.side.options import Options
from benchmarks.side.server import Server
from benchmarks.side.show import grid

MEMBER = "member@example.com"
CALLS = 2_000


def _encode(syntax: str) -> Callable[[], Any]:
    encoder = RequestEncoder(
        HiddenStr(TOKEN), loyalty_program_id=PROGRAM, currency=CurrencyEid(CURRENCY), format=syntax
    )
    return lambda: encoder.encode(BalanceQuery(ByEmail(MEMBER)))


def _decode(syntax: str) -> Callable[[], Any]:
    encoder = RequestEncoder(HiddenStr(TOKEN), loyalty_program_id=PROGRAM, format=syntax)
    wire, body, now = encoder.encode(BalanceQuery(ByEmail(MEMBER))), REPLIES[syntax], datetime.now
    return lambda: read_reply(wire, 200, {}, body, looked_up_at=now(UTC))


def _from_json(parse: Callable[[bytes], Any]) -> Callable[[], Any]:
    def decode() -> tuple[Decimal, Decimal]:
        data = parse(REPLIES["json"])["data"]
        return Decimal(data["total_balance"]), Decimal(data["active_balance"])

    return decode


def _from_xml() -> tuple[Decimal, Decimal]:
    data = ET.fromstring(REPLIES["xml"]).find("data")
    return Decimal(data.findtext("total_balance")), Decimal(data.findtext("active_balance"))


def steps() -> dict[str, Callable[[], Any]]:
    """What is timed, by title."""
    return {
        "encode JSON: query and request": _encode("json"),
        "  orjson.dumps of a dict": lambda: orjson.dumps(fields_of(MEMBER)),
        "  json.dumps of a dict": lambda: json.dumps(fields_of(MEMBER)).encode(),
        "encode XML: query and request": _encode("xml"),
        "  text with escape()": lambda: xml_of(MEMBER),
        "decode JSON: reply to Balance": _decode("json"),
        "  orjson.loads and two Decimal": _from_json(orjson.loads),
        "  json.loads and two Decimal": _from_json(json.loads),
        "decode XML: reply to Balance": _decode("xml"),
        "  ElementTree and two Decimal": _from_xml,
    }


def measure(options: Options, _: Server) -> dict[str, Any]:
    """Microseconds of each step, as JSON; the steps are interleaved in rounds."""
    timed = steps()
    calls = CALLS if options.rounds > 1 else CALLS // 20
    runs: dict[str, list[float]] = {title: [] for title in timed}
    for _ in range(max(3, 2 * options.rounds)):
        for title in random.sample(list(timed), len(timed)):
            runs[title].append(
                timeit.timeit(timed[title], timer=time.process_time, number=calls) / calls * 1e6
            )
    return {"rows": [{"title": t, "us": spread(took[1:]).as_dict()} for t, took in runs.items()]}


def text(found: dict[str, Any]) -> str:
    """A line for each step."""
    lines = [
        [row["title"], f"{us['median']:.2f}", f"{us['low']:.2f}-{us['high']:.2f}"]
        for row in found["rows"]
        for us in (row["us"],)
    ]
    return f"{described(found['machine'])}\n\n" + (
        grid("codec, µs a call", ["median", "quartiles"], lines) + "\n"
    )


def plot(path: Path, found: dict[str, Any]) -> None:
    """A bar for each step."""

    def paint(axes: Any) -> None:
        (panel,) = axes
        rows = found["rows"][::-1]
        colors = [draw.THEIRS if row["title"].startswith(" ") else draw.OURS for row in rows]
        middles = [row["us"]["median"] for row in rows]
        bars = panel.barh([row["title"].strip() for row in rows], middles, color=colors)
        panel.bar_label(bars, fmt="%.2f", padding=4)
        panel.set_title("µs a call")
        panel.margins(x=0.15)

    draw.drawn(path, paint)
