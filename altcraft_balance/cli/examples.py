"""What stands on a command's help page to be copied: a line for each thing that people do with it.

The token and the server are taken from the environment in all of them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["EXAMPLES"]

EXAMPLES: Final = MappingProxyType(
    {
        "get": (
            "altcraft-balance get --email user@example.com",
            "altcraft-balance get --phone +79001234567 --json",
            "altcraft-balance get --custom-int card=4711 --currency-eid stars",
        ),
        "refresh": (
            "altcraft-balance refresh members.csv --by email --out balances.csv",
            "altcraft-balance refresh members.csv --by email --out b.parquet --rate 50",
            "altcraft-balance refresh members.csv --by email --out - --progress off",
        ),
        "status": ("altcraft-balance status", "altcraft-balance status --json"),
        "report": ("altcraft-balance report summary.json --out page.html",),
        "sandbox": (
            "altcraft-balance sandbox",
            "altcraft-balance sandbox --port 0 --faults status503=0.05,reset=0.05",
        ),
        "demo": ("altcraft-balance demo", "altcraft-balance demo --members 1000"),
        "doctor": (
            "altcraft-balance doctor",
            "altcraft-balance doctor --email user@example.com --json",
            "altcraft-balance doctor --email user@example.com --probe --save replies",
        ),
    }
)
