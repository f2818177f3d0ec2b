"""What ``python -m benchmarks`` can be told."""

import argparse
from pathlib import Path

from attrs import field, frozen

from benchmarks.side.clients import CLIENTS, HOUSE

PARTS = ("table", "scaling", "memory", "startup", "codec")
LOOPS, FORMATS, CONNECTIONS = ("asyncio", "uvloop"), ("json", "xml"), ("plain", "tls")
RESULTS = Path(__file__).parents[1] / "results"


@frozen(kw_only=True)
class Options:
    """How much is measured; the defaults take some ten minutes.

    Attributes:
        parts: which of `PARTS`.
        clients: which rows.
        loops: event loops.
        formats: ``json``, ``xml``.
        connections: ``plain``, ``tls``.
        at: how many lookups at once.
        rounds: every client measures once in each.
        lookups: the most lookups of one measurement.
        seconds: about how long one measurement takes; slow clients make fewer lookups.
        sizes: lengths of the batches whose memory and CPU are compared.
        server: ``nginx``, ``sandbox`` or ``auto``.
        results: the folder for text, JSON and plots.
        svg: where to write the bar chart of the README, or None.
    """

    parts: tuple[str, ...] = PARTS
    clients: tuple[str, ...] = tuple(CLIENTS)
    loops: tuple[str, ...] = LOOPS
    formats: tuple[str, ...] = ("json",)
    connections: tuple[str, ...] = CONNECTIONS
    at: tuple[int, ...] = (64,)
    rounds: int = 7
    lookups: int = 10_000
    seconds: float = 0.4
    sizes: tuple[int, ...] = (10_000, 100_000)
    server: str = "auto"
    results: Path = field(default=RESULTS)
    svg: Path | None = None


FULL = {
    "formats": FORMATS,
    "at": (1, 16, 64, 256, 1024),
    "rounds": 5,
    "sizes": (10_000, 100_000, 1_000_000),
}
QUICK = {
    "clients": HOUSE,
    "at": (16,),
    "rounds": 1,
    "lookups": 200,
    "seconds": 0.05,
    "sizes": (200, 400),
}


def parse(arguments: list[str] | None = None) -> Options:
    """The options of a command line; says what is wrong, and exits with 2, when one is."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="This client, its peers and the floor."
    )
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--full", action="store_true", help="everything; more than an hour")
    depth.add_argument("--quick", action="store_true", help="does it run at all? seconds")
    parser.add_argument("--only", type=_some(PARTS), dest="parts", metavar=",".join(PARTS))
    parser.add_argument("--clients", type=_some(CLIENTS), metavar="a,b", help=", ".join(CLIENTS))
    parser.add_argument("--loops", type=_some(LOOPS), metavar=",".join(LOOPS))
    parser.add_argument("--formats", type=_some(FORMATS), metavar=",".join(FORMATS))
    parser.add_argument("--connections", type=_some(CONNECTIONS), metavar=",".join(CONNECTIONS))
    parser.add_argument("--at", type=_numbers, metavar="1,64", help="lookups at once")
    parser.add_argument("--rounds", type=_positive)
    parser.add_argument("--lookups", type=_positive, help="at most, in one measurement")
    parser.add_argument("--seconds", type=float, help="about how long one measurement takes")
    parser.add_argument("--sizes", type=_numbers, metavar="10000,1000000", help="of batches")
    parser.add_argument("--server", choices=("auto", "nginx", "sandbox"))
    parser.add_argument("--results", type=Path, help="the folder for text, JSON and plots")
    parser.add_argument("--svg", type=Path, help="also write the README's bar chart here")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value}
    chosen = FULL if given.pop("full", False) else QUICK if given.pop("quick", False) else {}
    return Options(**(chosen | given))


def _some(known):
    def names(text: str) -> tuple[str, ...]:
        found = tuple(text.split(","))
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(
                f"there is no {unknown[0]!r}; choose from {', '.join(known)}"
            )
        return found

    return names


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1, not {text!r}")
    return int(text)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(number) for number in text.split(","))
