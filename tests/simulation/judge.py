"""The judge: takes note while a run goes on, and says at its end what was right and what was not.

What holds in every scenario becomes a problem when it does not hold; what a single scenario
promises beyond that is in `bounds`.
"""

from collections import Counter

from altcraft_balance.errors import AltcraftBalanceError
from altcraft_balance.models import Found
from altcraft_balance.telemetry.events import AttemptEnded, LookupEnded
from tests.simulation.behaviours import Capacity, Down
from tests.simulation.ideal import ideal_s
from tests.simulation.report import Report, covered_s, first_full_second, gaps, most_within

#: Nothing that follows the one before sooner than this is a probe.
_PROBES_APART_S = 1.0
_DEADLINE_S = 30.0


class Judge:
    """Everything that a run is judged by.

    Args:
        scenario: what is run.
        seed: with what.
        sandbox: knows every member's balance.
        clock: gives the virtual time.

    Attributes:
        on_wire: requests that the client's transport has under way.
    """

    def __init__(self, scenario, seed, sandbox, clock):
        self._scenario, self._seed, self._sandbox, self._clock = scenario, seed, sandbox, clock
        self._seen, self._failed, self._failed_calls = Counter(), Counter(), Counter()
        self._found = self._wrong = 0
        self._sends = []
        self._problems = []
        self._under_way_s = self._on_wire_s = self._ended_at = 0.0
        self._waited_by = {}
        self.on_wire = self._most_on_wire = 0

    def problem(self, what):
        """Something went against a promise."""
        self._problems.append(what)

    # ── while it goes on ─────────────────────────────────────────────────────────────────────

    def sends(self, item, *, fresh):
        """The client's transport is given a request; `fresh` is how the free repeat goes out."""
        self._sends.append((self._clock(), item, fresh))
        self.on_wire += 1
        self._most_on_wire = max(self._most_on_wire, self.on_wire)

    def heard(self, event):
        """An event of the client."""
        if isinstance(event, LookupEnded):
            self._under_way_s += event.elapsed_s
        elif isinstance(event, AttemptEnded):
            self._on_wire_s += event.elapsed_s

    def item(self, outcome):
        """The batch gives an outcome."""
        self._seen[outcome.index] += 1
        self._ended_at = self._clock()
        if not isinstance(outcome, Found):
            self._failed[outcome.error.kind] += 1
        else:
            self._check(outcome.query, outcome.balance)

    async def call(self, client, member):
        """A single call: a balance, or an error of ours, within its deadline."""
        began = self._clock()
        try:
            self._check(member, await client.get_balance(member))
        except AltcraftBalanceError as error:
            self._failed_calls[error.kind] += 1
        if self._clock() - began > _DEADLINE_S + 0.001:
            self.problem(f"a call took {self._clock() - began:.3f} s of {_DEADLINE_S:g}")

    def closed(self, stats):
        """The client is closed: nothing may be left."""
        left = {
            "lookups": stats.in_progress,
            "slots": stats.slots_in_use,
            "requests": self.on_wire,
        }
        self._problems += [f"{count} {what} left" for what, count in left.items() if count]
        self._waited_by = {why: round(s, 6) for why, s in getattr(stats, "waited_s", {}).items()}

    def _check(self, query, balance):
        self._found += 1
        right = self._sandbox.balance_of(query, loyalty_program_id=123)
        if (right.total_balance, right.active_balance) != (
            balance.total_balance,
            balance.active_balance,
        ):
            self._wrong += 1

    # ── at the end ───────────────────────────────────────────────────────────────────────────

    def report(self, door, trace):
        """All figures, and the problems."""
        scenario, seen = self._scenario, door.seen
        lost = scenario.items - len(self._seen)
        doubled = self._seen.total() - len(self._seen)
        self._hold(lost=lost, doubled=doubled, wrong=self._wrong)
        asked = max(1, scenario.items + scenario.calls)
        return Report(
            seed=self._seed,
            scenario=scenario.name,
            says=scenario.says,
            items=scenario.items,
            calls=scenario.calls,
            found=self._found,
            failed=dict(self._failed),
            failed_calls=dict(self._failed_calls),
            lost=lost,
            doubled=doubled,
            wrong=self._wrong,
            requests=len(seen.arrivals),
            requests_per_item=len(seen.arrivals) / asked,
            time_s=self._ended_at,
            ideal_s=ideal_s(scenario.behaviours, scenario.items, scenario.concurrency),
            waited_s=self._under_way_s - self._on_wire_s,
            waited_by=self._waited_by,
            most_on_wire=self._most_on_wire,
            worst_100_ms=most_within(seen.arrivals, 0.1),
            silence_s=max(gaps(seen.arrivals), default=0.0),
            paused_s=covered_s(seen.pauses),
            requests_in_pause=len(seen.in_pause),
            trace_hash=trace.digest(),
            problems=self._problems,
            **self._around_outage(seen),
        )

    def _hold(self, **counts):
        self._problems += [f"{count} {what}" for what, count in counts.items() if count]
        if self._most_on_wire > self._scenario.concurrency:
            self.problem(f"{self._most_on_wire} on the wire of {self._scenario.concurrency}")

    def _around_outage(self, seen):
        """What there is to say about the first time that the server was down."""
        down, capacity = self._scenario.of(Down), self._scenario.of(Capacity)
        if down is None:
            return {}
        begins, ends = down.times[0]
        repeats, free_repeats = self._repeats(begins, ends)
        figures = {
            "repeats_while_down": len(repeats),
            "hasty_repeats": sum(gap < _PROBES_APART_S for gap in gaps([begins, *repeats])),
            "longest_without_probe_s": max(gaps([begins, *repeats, ends])),
            "free_repeats_while_down": free_repeats,
            "worst_100_ms_after": most_within([at for at in seen.arrivals if at >= ends], 0.1),
        }
        first = next((at for at in seen.answers if at >= ends), None)
        if capacity is not None and first is not None:
            wanted = int(0.9 * capacity.rate_per_s)
            figures["recovered_in_s"] = first_full_second(seen.answers, first, wanted)
        return figures

    def _repeats(self, begins, ends):
        """When the client asked for items again while the server was down; how often for free."""
        before, repeats, free = set(), [], 0
        for at, item, fresh in self._sends:
            if item in before and begins <= at < ends:
                free += fresh
                repeats += () if fresh else (at,)
            before.add(item)
        return repeats, free
