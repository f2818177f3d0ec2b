"""Which request meets the sandbox's fault, made a matter of the member and not of luck.

So two clients meet the same, in whatever order their requests arrive.
"""

from random import Random

from altcraft_balance.sandbox import FAULTS

#: A case beside `FAULTS`: "latency" beyond an attempt's limit.
TOO_LATE = "too_late"
CASES = (*FAULTS, TOO_LATE)
#: A throttled attempt does not count, so a member that always meets one would never be done.
THROTTLED = {"status429", "status503"}
#: What ends like a connection that was dead before is repeated free of charge, if it was reused.
SUDDEN = {"reset_before", "reset_inside", "reset", "truncated"}
#: What happens to the idle connection; a request that arrives first is spared.
AFTERWARDS = {"stray", "idle_close", "late_408"}
#: kind, transient, maybe_sent, status and code for a member whose every request meets the fault;
#: a fault that is not here harms nobody in the end.
ENDS = {
    "status500": ["http_status", True, True, 500, None],
    "app_error_200": ["api_error", True, True, 200, 500],
    "app_error_4xx": ["bad_request", False, True, 400, 400],
    "html": ["unexpected_reply", True, True, 200, None],
    "empty": ["unexpected_reply", True, True, 200, None],
    TOO_LATE: ["attempt_timeout", True, True, None, None],
} | {name: ["connection_failed", True, True, None, None] for name in SUDDEN}


class Fates:
    """Stands in the place of the sandbox's draw.

    Of the members in trouble half meet the fault each time, and half at their first request only.

    Attributes:
        dealt: how many requests met it.
        chance: for the fault's details, the same for the same request.
    """

    def __init__(self, sandbox, case, seed):
        self._service, self._case, self._seed = sandbox._service, case, seed
        self._fault = "latency" if case == TOO_LATE else case
        self._share = 0.02 if case == TOO_LATE else 0.1
        self._read, self._service.read = self._service.read, self._reading
        sandbox._desk._draw = self
        self.chance, self.dealt = Random(seed), 0

    def times(self, value):
        """How many of a member's requests meet the fault; None: every one."""
        draw = Random(f"{self._seed} {value}").random()
        if draw >= self._share:
            return 0
        if draw < self._share / 2 and self._case != "app_error_4xx":  # which is not repeated
            return 1
        return 2 if self._case in THROTTLED else None

    def _reading(self, *arguments):
        incoming = self._read(*arguments)
        self._member = incoming.lookup.member  # for the draw, in this same turn of the loop
        return incoming

    def __call__(self):
        value, count = self._member[2], self._service.asked[self._member]
        self.chance = Random(f"{self._seed} {value} {count}")
        times = self.times(value)
        if times is not None and count > times:
            return None
        self.dealt += 1
        return self._fault
