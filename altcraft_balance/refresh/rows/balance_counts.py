"""How balances are distributed: exact counts between fixed bounds, and exact sums.

Amounts of two currencies are never added: each has counts of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, localcontext
from typing import Any, Final

from altcraft_balance.refresh.rows.answer import ACTIVE, CURRENCY, TOTAL, Answer
from altcraft_balance.refresh.rows.masking import masked

__all__ = ["BOUNDS", "BalanceCounts"]

#: What the counts are called, in order: each holds the amounts from the bound before.
BOUNDS: Final = (
    "<0",
    "0",
    "<1",
    *(
        f"<{digit * 10**power}"
        for power in range(9)
        for digit in (1, 2, 5)
        if digit * 10**power > 1
    ),
    "<1000000000",
    ">=1000000000",
)
#: Where each begins, but for the first; an amount has at most 64 places, so that none lies between
#: nothing and the second.
_FROM: Final = (
    Decimal(0),
    Decimal("1E-100"),
    *(Decimal(name[1:]) for name in BOUNDS[2:-1]),
)
#: More digits than any sum of amounts has, so that all are exact.
_EXACT: Final = Context(prec=400, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
_MOST_CURRENCIES: Final = 8
_AT_ONCE: Final = 500


class BalanceCounts:
    """What was found, by currency; `kept` is what `as_dict` of another gave, to go on from."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self._pairs = {name: _Pair(pair) for name, pair in kept.get("currencies", ())}
        self._beyond: int = kept.get("beyond", 0)
        self._waiting: list[Answer] = []

    def add(self, found: Answer) -> None:
        """Count a balance, soon: many at a time cost half as much."""
        self._waiting.append(found)
        if len(self._waiting) >= _AT_ONCE:
            self._count()

    def as_dict(self) -> dict[str, Any]:
        """What the constructor takes, of JSON's types."""
        self._count()
        pairs = [[name, pair.as_dict()] for name, pair in self._pairs.items()]
        return {"currencies": pairs, "beyond": self._beyond}

    def shown(self) -> dict[str, Any]:
        """The counts for a summary."""
        self._count()
        pairs = [{"currency": name, **pair.as_dict()} for name, pair in self._pairs.items()]
        return {"currencies": pairs, "beyond": self._beyond}

    def _count(self) -> None:
        by_currency: dict[Any, list[Any]] = {}
        for answer in self._waiting:
            by_currency.setdefault(answer[CURRENCY], []).append(answer)
        self._waiting.clear()
        for currency, found in by_currency.items():
            # Somebody may have given a column of addresses for the currency's.
            name = None if currency is None else masked(str(currency))
            if name not in self._pairs:
                if len(self._pairs) >= _MOST_CURRENCIES:
                    self._beyond += len(found)
                    continue
                self._pairs[name] = _Pair()
            self._pairs[name].add(found)


class _Pair:
    """Total and active balances of a currency."""

    __slots__ = ("_active", "_total")

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self._total, self._active = _Amounts(kept.get("total")), _Amounts(kept.get("active"))

    def add(self, found: list[Any]) -> None:
        self._total.add([answer[TOTAL] for answer in found])
        self._active.add([answer[ACTIVE] for answer in found])

    def as_dict(self) -> dict[str, Any]:
        return {"total": self._total.as_dict(), "active": self._active.as_dict()}


class _Amounts:
    __slots__ = ("_counts", "_greatest", "_least", "_sum")

    def __init__(self, kept: Mapping[str, Any] | None) -> None:
        kept = kept or {"sum": "0", "min": None, "max": None, "counts": {}}
        self._sum = Decimal(kept["sum"])
        self._least = None if kept["min"] is None else Decimal(kept["min"])
        self._greatest = None if kept["max"] is None else Decimal(kept["max"])
        self._counts = [int(kept["counts"].get(name, 0)) for name in BOUNDS]

    def add(self, texts: list[str]) -> None:
        amounts = sorted(map(Decimal, texts))
        with localcontext(_EXACT):
            self._sum = sum(amounts, self._sum)
        least, greatest = amounts[0], amounts[-1]
        self._least = least if self._least is None else min(self._least, least)
        self._greatest = greatest if self._greatest is None else max(self._greatest, greatest)
        below = 0
        for place, bound in enumerate(_FROM):
            upto = bisect_left(amounts, bound, below)
            self._counts[place] += upto - below
            below = upto
        self._counts[-1] += len(amounts) - below

    def as_dict(self) -> dict[str, Any]:
        counts = zip(BOUNDS, self._counts, strict=True)
        return {
            "sum": format(self._sum, "f"),
            "min": None if self._least is None else format(self._least, "f"),
            "max": None if self._greatest is None else format(self._greatest, "f"),
            "counts": {name: count for name, count in counts if count},
        }
