"""When so much fails that a run is no success, or not worth going on with. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.errors import ApiError, ConfigurationError, NotAMember
from altcraft_balance.models import Failed, Found

__all__ = ["FirstAnswers", "MaxFailed"]

_SHAPE: Final = re.compile(r"(\d+)|(\d+(?:\.\d+)?)\s?%")
_FEW: Final = 1_000
_TIMES: Final = 10
_MANY: Final = 0.01
_SAME: Final = 200


@frozen
class MaxFailed:
    """How many rows may fail: so many, or such a share of all.

    Attributes:
        count: rows; None when it is a share.
        share: from 0 to 1.
    """

    count: int | None = field(default=0)
    share: float = 0.0

    @classmethod
    def read(cls, value: Any) -> MaxFailed:
        """From a whole number, or a text such as ``100`` or ``0.5%``.

        Raises:
            ConfigurationError: it is neither.
        """
        if isinstance(value, MaxFailed):
            return value
        found = _SHAPE.fullmatch(str(value).strip())
        if found is None or isinstance(value, bool) or (found[2] and float(found[2]) > 100):
            raise ConfigurationError("max_failed must be a number of rows, or a share such as 0.5%")
        return cls(int(found[1])) if found[1] else cls(None, float(found[2]) / 100)

    def allows(self, failed: int, done: int) -> bool:
        """Whether `failed` of `done` rows are within it."""
        return failed <= self._limit(done)

    def is_far_behind(self, failed: int, done: int) -> bool:
        """Whether going on makes no sense: more than 1,000, and 1 %, and ten times the limit."""
        return failed > max(_FEW, _MANY * done, _TIMES * self._limit(done))

    def _limit(self, done: int) -> float:
        return self.share * done if self.count is None else self.count

    def __str__(self) -> str:
        return f"{self.share * 100:g}%" if self.count is None else f"{self.count:,}"


class FirstAnswers:
    """Notices a run whose first 200 answers are all the same final error, as of a wrong program.

    Members who are not in the program are left out of the count; so is whatever is no answer.
    """

    def __init__(self) -> None:
        self._codes: Counter[int] | None = Counter()  # None: all is well, look no further

    def same_error(self, outcome: Found | Failed) -> ApiError | None:
        """The error that they all have in common, when `outcome` is the last one of them."""
        codes = self._codes
        if codes is None:
            return None
        if isinstance(outcome, Found):
            self._codes = None
            return None
        error = outcome.error
        if not isinstance(error, ApiError) or isinstance(error, NotAMember) or error.transient:
            return None
        codes[error.code] += 1
        if len(codes) > 1:
            self._codes = None
        return error if self._codes is not None and codes[error.code] == _SAME else None
