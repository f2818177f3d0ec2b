"""Full jitter, after the cap: a wait is drawn from zero to the capped exponential bound.

Jitter that is added under the cap herds everybody at the cap (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from typing import Final

from altcraft_balance.settings import RetryPolicy

__all__ = ["MAX_PAUSE_S", "backoff_s", "probe_after_s"]

#: A longer pause, or a longer outage, is not sat out.
MAX_PAUSE_S: Final = 900.0
_MAX_DOUBLINGS: Final = 60  # 2**60 times any base is past any cap, and no float overflows
_LEAST_S: Final = 1.0  # between two probes
_FIRST_PROBES_S: Final = 1.5
_RAREST_PROBE_S: Final = 30.0


def backoff_s(policy: RetryPolicy, failures: int, draw: float) -> float:
    """Seconds to wait after so many failures.

    Args:
        policy: `base_s` and `cap_s` bound the wait.
        failures: how many attempts have failed, from 1.
        draw: a number from 0 up to 1, drawn by the caller.
    """
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    return draw * min(policy.cap_s, policy.base_s * 2.0**doublings)


def probe_after_s(silent_s: float, draw: float) -> float:
    """Seconds from one probe to the next: a quarter of the silence, but 1 to 30.

    So a server that is back is noticed after a quarter of the time for which it was away, or
    1.5 s if that is more. Half of it is jitter, so that the probes of many clients do not meet.

    Args:
        silent_s: seconds for which nothing has been answered.
        draw: a number from 0 up to 1, drawn by the caller.
    """
    bound_s = min(_RAREST_PROBE_S, max(_FIRST_PROBES_S, silent_s / 4))
    return max(_LEAST_S, bound_s * (1 + draw) / 2)
