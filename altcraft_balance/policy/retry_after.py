"""``Retry-After`` in all its forms (RFC 9110, section 10.2.3).

Seconds, or one of the three date forms of section 5.6.7, which `email.utils` reads. A date is
measured against the reply's own ``Date`` when there is one, since the server's clock may be off
ours. What cannot be read is no wish at all: None, never an exception.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["read_retry_after"]

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?\Z")
_LONGEST_S: Final = 1e10  # some three hundred years: longer wishes are the same to everybody
_RFC_850_YEAR = re.compile(r"(?<=-)([0-9]{2})(?= )")


def read_retry_after(value: str, *, date: str | None, now: datetime) -> float | None:
    """The seconds to wait that `value` asks for; 0.0 for a date that has passed.

    Args:
        value: the header's value.
        date: the value of the reply's ``Date`` header, if there is one.
        now: the local time (aware), for a reply without a ``Date``.
    """
    value = value.strip()
    if _SECONDS.match(value):
        return min(float(value), _LONGEST_S)
    until = _read_date(value, now)
    if until is None:
        return None
    since = _read_date(date.strip(), now) if date else None
    return min(max(0.0, (until - (since or now)).total_seconds()), _LONGEST_S)


def _read_date(value: str, now: datetime) -> datetime | None:
    try:
        moment = parsedate_to_datetime(_with_century(value, now))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # HTTP dates are GMT, whether or not a form says so.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _with_century(value: str, now: datetime) -> str:
    """RFC 850's two digits of a year: the past century if more than 50 years ahead otherwise."""

    def widen(match: re.Match[str]) -> str:
        year = now.year - now.year % 100 + int(match[1])
        return str(year - 100 if year > now.year + 50 else year)

    return _RFC_850_YEAR.sub(widen, value, count=1)
