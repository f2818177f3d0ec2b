"""How values stand in text files: one rule for CSV and for texts in Parquet."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["as_text"]


def as_text(cell: Any) -> str:
    """``""`` for None, JSON for what JSON writes without quotes, the text itself for a text."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    return json.dumps(cell, ensure_ascii=False)
