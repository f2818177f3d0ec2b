"""How long a client would take that knew the server's every turn beforehand.

Time is cut into steps, of 10 ms or a thousandth of the time so far; in each of them the best
width is taken that the concurrency allows, and the server gives as many answers as its behaviours
let through together.
"""

_STEP_S = 0.01
_LONGEST_S = 7200.0


def ideal_s(behaviours, items, concurrency):
    """Seconds for `items` lookups without one request in vain."""
    left = items - sum(behaviour.head_start for behaviour in behaviours)
    widths = sorted({concurrency, *(min(concurrency, round(1.25**n)) for n in range(32))})
    now, known = 0.0, {}
    while left > 0 and now < _LONGEST_S:
        step_s = max(_STEP_S, now / 1000)
        now += step_s
        left -= step_s * _rate_per_s(behaviours, now, widths, known)
    return now + min(_latency_s(behaviours, now, width) for width in widths)


def _latency_s(behaviours, now, width):
    return sum(behaviour.latency_s_at(now, width) for behaviour in behaviours)


def _rate_per_s(behaviours, now, widths, known):
    most = min((behaviour.rate_per_s_at(now) for behaviour in behaviours), default=1e9)
    # Only the part that does not change with the width changes with time, in all there are.
    at_one = _latency_s(behaviours, now, widths[0])
    if at_one not in known:
        known[at_one] = max(
            width / max(1e-9, _latency_s(behaviours, now, width)) for width in widths
        )
    return min(most, known[at_one])
