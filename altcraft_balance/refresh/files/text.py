"""How values stand in files: one rule for CSV, for JSON lines and for texts in Parquet."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["JsonText", "Line", "as_text"]


class JsonText(str):
    """The JSON text of a value that no plain cell holds exactly: a long number, a list, an object.

    Elsewhere than in JSON it is a text like any other.
    """

    __slots__ = ()


class Line(str):
    """A whole line of a file of which nothing could be made; where it may, it stays a line."""

    __slots__ = ()


def as_text(cell: Any) -> str:
    """``""`` for None, JSON for what JSON writes without quotes, the text itself for a text."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    return json.dumps(cell, ensure_ascii=False)
