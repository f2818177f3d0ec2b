"""The table: every client under every condition, in rounds, in an order that is drawn anew.

A condition is a format, a connection, a loop and a number of lookups at once. In a round each
client measures once under each condition, the clients of a condition one after the other, so that
what the machine does meanwhile meets all of them. Round 0 is thrown away; it warms the processes
up, and tells how many lookups fill a measurement: fewer of a slow client's.
"""

import random
import sys
from typing import Any

from attrs import asdict, frozen

from benchmarks.side import wrk
from benchmarks.side.children import Child, children
from benchmarks.side.figures import spread
from benchmarks.side.options import Options
from benchmarks.side.server import Server

FIGURES = ("cpu_us", "per_s", "p50_ms", "p99_ms")
PILOT = 200
LEAST_PER_SLOT = 2


@frozen
class Condition:
    """Under what the clients are compared."""

    format: str
    connection: str
    loop: str
    at: int


def conditions(options: Options, server: Server) -> list[Condition]:
    """All that were asked for and that the server can do."""
    return [
        Condition(syntax, connection, loop, at)
        for syntax in options.formats
        for at in options.at
        for connection in options.connections
        for loop in options.loops
        if (connection == "tls", syntax) in server.urls
    ]


def measure(options: Options, server: Server) -> dict[str, Any]:
    """All rounds, as JSON: what was measured, run by run, and what was not there."""
    asked = conditions(options, server)
    random.seed(1)  # the order differs from round to round, not from day to day
    with children(options.clients, options.loops) as everybody:
        there = [child for child in everybody if not child.about["missing"]]
        runs, limits = _rounds(options, server, asked, there)
        return {
            "clients": {child.name: child.about for child in everybody},
            "missing": {
                f"{child.name} on {child.loop}": child.about["missing"]
                for child in everybody
                if child.about["missing"]
            },
            "cells": [
                _cell(child.name, condition, runs[child.name, condition])
                for condition in asked
                for child in there
                if child.loop == condition.loop
            ],
            "wrk": limits,
        }


def _rounds(
    options: Options, server: Server, asked: list[Condition], there: list[Child]
) -> tuple[dict[tuple[str, Condition], list[dict]], list[dict[str, Any]]]:
    runs: dict[tuple[str, Condition], list[dict]] = {}
    limits: list[dict[str, Any]] = []
    counts: dict[tuple[str, Condition], int] = {}
    for number in range(options.rounds + 1):
        for condition in random.sample(asked, len(asked)):
            target = server.target(condition.connection == "tls", condition.format, condition.at)
            for child in random.sample(there, len(there)):
                if child.loop != condition.loop:
                    continue
                key = (child.name, condition)
                if number == 0:
                    result = child.measure(target, min(PILOT, options.lookups))
                    counts[key] = _enough(result, options, condition.at)
                    runs[key] = [] if counts[key] else [result]
                elif counts[key]:
                    runs[key].append(child.measure(target, counts[key], first=10**6 * number))
            if number and condition.loop == options.loops[0]:
                limits += wrk.measure(target, asdict(condition), options.seconds)
        print(f"round {number} of {options.rounds}", file=sys.stderr)
    return runs, limits


def _enough(result: dict[str, Any], options: Options, at: int) -> int:
    """Lookups for a measurement of the length that was asked for; 0 if all of them failed."""
    if not result.get("checked"):
        return 0
    wanted = int(result.get("per_s", 1.0) * options.seconds)
    return min(options.lookups, max(LEAST_PER_SLOT * at, PILOT, wanted))


def _cell(name: str, condition: Condition, results: list[dict]) -> dict[str, Any]:
    """A client under a condition: spreads over the rounds, and the rounds themselves."""
    whole = [result for result in results if "cpu_us" in result]
    troubles = [result["trouble"] for result in results if result["trouble"]]
    cell = {
        "client": name,
        **asdict(condition),
        "lookups": sum(result["lookups"] for result in whole),
        "checked": sum(result["checked"] for result in whole),
        "failed": sum(result["failed"] for result in whole) + len(results) - len(whole),
        "trouble": troubles[0] if troubles else "",
    }
    for figure in FIGURES:
        runs = [round(result[figure], 4) if figure in result else None for result in results]
        known = [run for run in runs if run is not None]
        cell[figure] = spread(known).as_dict() | {"runs": runs} if known else None
    return cell
