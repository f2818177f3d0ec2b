"""What went wrong, how often, and a few examples of what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from altcraft_balance.refresh.port import Cell
from altcraft_balance.refresh.rows.masking import masked

__all__ = ["ErrorCounts"]

_Key: TypeAlias = tuple[Cell, ...]
_MOST: Final = 24
_MOST_EXAMPLES: Final = 3
#: An example is looked for in so many: a server that says the same of all would cost time for each.
_TRIED: Final = 30


class ErrorCounts:
    """Answers by status, kind and code; `kept` is what `as_dict` of another gave, to go on from."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        kept = kept or {}
        self._counts: dict[_Key, int] = {}
        self._examples: dict[_Key, list[str]] = {}
        for *key, count, examples in kept.get("kinds", ()):
            self._counts[tuple(key)], self._examples[tuple(key)] = count, list(examples)
        self._beyond: int = kept.get("beyond", 0)

    def add(self, key: Sequence[Cell], text: Cell) -> None:
        """Count an answer; `key` is its status, kind and code."""
        named = tuple(key)
        count = self._counts.get(named, 0)
        if not count and len(self._counts) >= _MOST:
            self._beyond += 1
            return
        self._counts[named] = count + 1
        if count < _TRIED and text is not None:
            examples = self._examples.setdefault(named, [])
            if len(examples) < _MOST_EXAMPLES and (example := masked(str(text))) not in examples:
                examples.append(example)

    def as_dict(self) -> dict[str, Any]:
        """What the constructor takes, of JSON's types."""
        kinds = [[*key, count, self._of(key)] for key, count in self._counts.items()]
        return {"kinds": kinds, "beyond": self._beyond}

    def shown(self) -> dict[str, Any]:
        """The counts for a summary, from the most on."""
        kinds = [
            {
                "status": key[0],
                "kind": key[1],
                "code": key[2],
                "count": count,
                "examples": self._of(key),
            }
            for key, count in sorted(
                self._counts.items(), key=lambda item: (-item[1], str(item[0]))
            )
        ]
        return {"kinds": kinds, "beyond": self._beyond}

    def _of(self, key: _Key) -> list[str]:
        return list(self._examples.get(key, ()))
