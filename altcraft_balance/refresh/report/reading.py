"""A summary that somebody hands in, looked at before anything is made of it.

It is a file, and a file may hold anything: the page is made of what is known to be of its type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.summary import RefreshSummary

__all__ = ["read_summary"]

_Check: TypeAlias = Callable[[Any], bool]
_MOST_S: Final = 1e9
_AMOUNT: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?\Z")
#: In this millennium, so that a run may be added to it.
_TIME: Final = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z", re.ASCII)


def read_summary(text: bytes, name: str) -> RefreshSummary:
    """The summary in `text`: what ``refresh --summary`` or ``status --json`` wrote.

    Args:
        text: JSON.
        name: what it is called when something is wrong with it.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        kept = _only_run(orjson.loads(text), name)
        if trouble := [field for field, check in _FIELDS.items() if not check(kept.get(field))]:
            raise ValueError(f"{trouble[0]} is missing, or not what it should be")
        return RefreshSummary.from_dict(kept)
    except orjson.JSONDecodeError:
        trouble = ["it is not JSON"]
    except ValueError as error:
        trouble = [str(error)]
    raise ConfigurationError(
        f"{name} is no summary of a run ({trouble[0]}): give the file that refresh --summary wrote"
    )


def _only_run(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    runs = value.get("runs")
    if not isinstance(runs, list):
        return value
    if len(runs) != 1 or not isinstance(runs[0], dict):
        raise ConfigurationError(
            f"{name} has {len(runs):,} runs, and a report is of one: name that run's folder when "
            "you call status --json"
        )
    return runs[0]


# ── what each field must be ──────────────────────────────────────────────────────────────────


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST_S


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(_TIME.match(value) and datetime.fromisoformat(value))
    except ValueError:  # such as a thirteenth month
        return False


def _is_amount(value: Any) -> bool:
    return isinstance(value, str) and _AMOUNT.match(value) is not None


def _is_code(value: Any) -> bool:
    return value is None or type(value) is int


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _all(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _by_name(check: _Check) -> _Check:
    return lambda value: isinstance(value, Mapping) and all(map(check, value.values()))


def _of(**checks: _Check) -> _Check:
    return lambda value: (
        isinstance(value, Mapping) and all(check(value.get(n)) for n, check in checks.items())
    )


def _or_empty(check: _Check) -> _Check:
    """Of a field that earlier releases did not write."""
    return lambda value: value is None or value == {} or check(value)


_POINT: Final = _of(
    from_s=_is_seconds,
    seconds=_is_seconds,
    rows=_is_count,
    failed=_is_count,
    requests=_is_count,
    p50_s=_or_none(_is_seconds),
    p99_s=_or_none(_is_seconds),
    lost_s=_by_name(_is_seconds),
)
_AMOUNTS: Final = _of(
    sum=_is_amount,
    min=_or_none(_is_amount),
    max=_or_none(_is_amount),
    counts=_by_name(_is_count),
)
_ERROR: Final = _of(
    status=_is_text, kind=_is_text, code=_is_code, count=_is_count, examples=_all(_is_text)
)
_FIELDS: Final[Mapping[str, _Check]] = {
    **dict.fromkeys(("run_id", "state", "reason", "source", "output"), _is_text),
    **dict.fromkeys(("rows", "requests", "repeats", "starts"), _is_count),
    **dict.fromkeys(("most_per_s", "most_per_min"), _is_count),
    **dict.fromkeys(("elapsed_s", "rows_per_s"), _is_seconds),
    **dict.fromkeys(("p50_s", "p99_s"), _or_none(_is_seconds)),
    **dict.fromkeys(("total_is_exact", "is_within_max_failed"), _is_flag),
    **dict.fromkeys(("statuses", "kinds"), _by_name(_is_count)),
    "total": _or_none(_is_count),
    "started_at": _is_time,
    "finished_at": _or_none(_is_time),
    "lost_s": _by_name(_is_seconds),
    "settings": _by_name(lambda value: True),
    "timeline": _or_empty(
        _of(points=_all(_POINT), processes=_all(_of(at_s=_is_seconds, at=_is_time)))
    ),
    "balances": _or_empty(
        _of(
            currencies=_all(_of(currency=_or_none(_is_text), total=_AMOUNTS, active=_AMOUNTS)),
            beyond=_is_count,
        )
    ),
    "errors": _or_empty(_of(kinds=_all(_ERROR), beyond=_is_count)),
}
