"""How long an output may still take to become whole."""

from __future__ import annotations

import math
import time

from altcraft_balance.refresh.files.file_source import Interrupted

__all__ = ["Patience"]


class Patience:
    """Endless, until somebody is in a hurry: from another thread, perhaps."""

    def __init__(self) -> None:
        self._ends_at = math.inf

    def hurry(self, seconds: float) -> None:
        """It is over `seconds` from now, unless it was over before."""
        self._ends_at = min(self._ends_at, time.monotonic() + seconds)

    def check(self) -> None:
        """Go on only while there is some.

        Raises:
            Interrupted: it is over; a later run goes on from here.
        """
        if time.monotonic() > self._ends_at:
            raise Interrupted
