"""The two statements that write balances: of a row that was answered, and of one that was not."""

from __future__ import annotations

from typing import Any, Final

from altcraft_balance.refresh.sql.columns import TableColumns

__all__ = ["of_answers", "of_troubles"]

_AMOUNTS: Final = ("total_balance", "active_balance")
_WHAT_FAILED: Final = ("status", "error_kind", "error_code", "error_text", "tried_at")


def of_answers(table: Any, columns: TableColumns, insert: Any) -> Any:
    """Insert a row, or let an answer replace what is there.

    Its time is not asked for: a clock may be set back, and no other run writes to the table.
    Where the amounts are the same, only the time of the answer changes, and what a failure left.
    """
    from sqlalchemy import case, or_

    old, new, named = table.columns, insert.excluded, columns.named
    at, active = named["looked_up_at"], named["active_balance"]
    has_changed = or_(*(old[named[n]].is_distinct_from(new[named[n]]) for n in _AMOUNTS))
    changing = {named[name]: new[named[name]] for name in _AMOUNTS}
    changing |= {named["previous_active_balance"]: old[active], named["changed_at"]: new[at]}
    # What did not change keeps its very value: 1.0 and 1.00 are the same amount.
    updated = {
        name: case((has_changed, value), else_=old[name]) for name, value in changing.items()
    }
    fixed = {*changing, *columns.key, named["tried_at"]}
    updated |= {c.name: new[c.name] for c in columns.all if c.name not in fixed}
    return insert.on_conflict_do_update(index_elements=list(columns.key), set_=updated)


def of_troubles(columns: TableColumns, insert: Any) -> Any:
    """Insert a row, or note on the one that is there that it was tried; its balance stays."""
    names = [columns.named[name] for name in _WHAT_FAILED]
    return insert.on_conflict_do_update(
        index_elements=list(columns.key), set_={name: insert.excluded[name] for name in names}
    )
