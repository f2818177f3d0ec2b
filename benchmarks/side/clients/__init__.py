"""Every client of the table by name; a client's file is imported only in its own process."""

import importlib
from types import ModuleType

from benchmarks.side.drive import Peer

#: Name on the command line: module and class. The order is the table's before it is sorted.
CLIENTS = {
    "direct": ("ours", "DirectStream"),
    "direct-calls": ("ours", "DirectCalls"),
    "default": ("ours", "DefaultStream"),
    "default-calls": ("ours", "DefaultCalls"),
    "floor": ("floor", "Floor"),
    "aiohttp-tuned": ("aiohttp", "Tuned"),
    "aiohttp": ("aiohttp", "AsWritten"),
    "aiohttp-retry": ("aiohttp_retry", "Retrying"),
    "httpx": ("httpx", "Httpx"),
    "aiometer": ("httpx", "Aiometer"),
    "niquests": ("niquests", "Niquests"),
    "pyreqwest": ("pyreqwest", "Pyreqwest"),
    "impit": ("impit", "Impit"),
    "primp": ("primp", "Primp"),
    "aiosonic": ("aiosonic", "Aiosonic"),
}
OURS = ("direct", "direct-calls", "default", "default-calls")
#: What needs no extra but those of the package's own tests.
HOUSE = (*OURS, "floor", "aiohttp-tuned", "aiohttp")


def load(name: str) -> type[Peer]:
    """The class of a client.

    Raises:
        ImportError: what it needs is not installed.
    """
    module, kind = CLIENTS[name]
    found: ModuleType = importlib.import_module(f"{__name__}.{module}")
    client: type[Peer] = getattr(found, kind)
    return client
