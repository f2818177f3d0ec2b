"""Full jitter, after the cap: a wait is drawn from zero to the capped exponential bound.

Jitter that is added under the cap herds everybody at the cap (Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

from altcraft_balance.settings import RetryPolicy

__all__ = ["backoff_s"]

_MAX_DOUBLINGS = 60  # 2**60 times any base is past any cap, and no float overflows


def backoff_s(policy: RetryPolicy, failures: int, draw: float) -> float:
    """Seconds to wait after so many failures.

    Args:
        policy: `base_s` and `cap_s` bound the wait.
        failures: how many attempts have failed, from 1.
        draw: a number from 0 up to 1, drawn by the caller.
    """
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    return draw * min(policy.cap_s, policy.base_s * 2.0**doublings)
