"""The scenarios: a server that behaves, how much it is asked, and by what sort of client."""

from attrs import evolve, field, frozen

from tests.simulation.behaviours import (
    BadConnections,
    BadMembers,
    Behaviour,
    Capacity,
    Down,
    Knee,
    Quota,
    Slow,
    Steady,
    flapping,
)


@frozen(kw_only=True)
class Scenario:
    """All that a run is made of, apart from its seed.

    Attributes:
        name: how it is called on the command line.
        says: what it is, in one line.
        items: lookups of the batch.
        behaviours: the server's, in the order in which they are asked.
        faults: rates of the sandbox's own faults.
        calls: single lookups beside the batch, at random times within `calls_within_s`.
        concurrency: the client's slots.
        max_attempts: of each lookup.
        limits: further arguments of `Limits`.
        form: ``json`` or ``xml``.
        ends_within_s: a run that takes longer, in virtual time, has gone wrong.
    """

    name: str
    says: str = ""
    items: int = 500
    behaviours: tuple[Behaviour, ...] = (Steady(),)
    faults: dict[str, float] = field(factory=dict)
    calls: int = 0
    calls_within_s: float = 10.0
    concurrency: int = 64
    max_attempts: int = 12
    limits: dict[str, object] = field(factory=dict)
    form: str = "json"
    ends_within_s: float = 3600.0

    def of(self, behaviour):
        """The first behaviour of that class; None without one."""
        return next((one for one in self.behaviours if isinstance(one, behaviour)), None)


#: Every fault of the sandbox after which the same question may be asked again, 15 % in all.
FAULTS_15 = {
    "reset_before": 0.02,
    "reset_inside": 0.02,
    "status429": 0.005,
    "status503": 0.005,
    "status500": 0.02,
    "app_error_200": 0.01,
    "html": 0.01,
    "empty": 0.01,
    "truncated": 0.01,
    "latency": 0.01,
    "stray": 0.01,
    "idle_close": 0.01,
    "late_408": 0.01,
}

_ALL = (
    Scenario(
        name="healthy",
        says="a steady server; nothing goes wrong",
        calls=10,
    ),
    Scenario(
        name="quota",
        says="50 a second, 429 with Retry-After 1 to the rest; the rate is not known",
        items=5000,
        concurrency=100,
        behaviours=(Quota(), Steady()),
    ),
    Scenario(
        name="quota_known",
        says="the same, and the client knows the rate",
        items=5000,
        concurrency=100,
        behaviours=(Quota(), Steady()),
        limits={"rate_per_s": 50},
    ),
    Scenario(
        name="mixed",
        says="the quota is not known, and single calls come beside the batch",
        items=2000,
        calls=400,
        calls_within_s=50,
        behaviours=(Quota(), Steady()),
    ),
    Scenario(
        name="outage",
        says="nothing but HTTP 500 for 10 minutes, 1,000 in flight; then 200 a second",
        items=4000,
        concurrency=1000,
        behaviours=(Down(((0.5, 600.5),), "status500"), Capacity(), Steady()),
        ends_within_s=3600,
    ),
    Scenario(
        name="recovery",
        says="connections refused for 40 s, then 200 a second",
        items=6000,
        behaviours=(Down(((2.0, 42.0),)), Capacity(), Steady()),
        calls=10,
        calls_within_s=60,
    ),
    Scenario(
        name="silence",
        says="neither accepts nor answers for 60 s, then 200 a second",
        items=4000,
        behaviours=(Down(((2.0, 62.0),), "silent"), Capacity(), Steady()),
    ),
    Scenario(
        name="slow",
        says="latency grows to 4 s and falls again, within 20 s",
        items=2000,
        behaviours=(Slow(0.2, 20.2), Steady()),
        calls=10,
        calls_within_s=20,
    ),
    Scenario(
        name="flapping",
        says="up for 4 s and down for 3 s, ten times; 200 a second",
        items=4000,
        behaviours=(flapping(up_s=4, down_s=3, times=10), Capacity(), Steady()),
        calls=10,
        calls_within_s=60,
    ),
    Scenario(
        name="bad_connections",
        says="one connection in ten breaks at every request",
        items=2000,
        behaviours=(BadConnections(), Steady()),
        calls=10,
    ),
    Scenario(
        name="bad_answers",
        says="one connection in ten gives nothing but HTTP 500, and stays open",
        items=2000,
        behaviours=(BadConnections(how="status500"), Steady()),
    ),
    Scenario(
        name="bad_members",
        says="for 3 members in 100 there is nothing but HTTP 500; single calls come beside",
        items=2000,
        behaviours=(BadMembers(), Steady()),
        max_attempts=6,
        calls=50,
        calls_within_s=5,
    ),
    Scenario(
        name="knee",
        says="from 16 requests at once on, latency grows with their square",
        items=2000,
        behaviours=(Knee(), Steady()),
    ),
    Scenario(
        name="faults",
        says="15 % of all requests meet one of thirteen faults",
        items=2000,
        faults=FAULTS_15,
        calls=10,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}


def scenario_for(seed, name=None, items=None):
    """The scenario of that name, or the mix that the seed draws; with `items`, if given."""
    from tests.simulation.mixes import mix

    scenario = SCENARIOS[name] if name else mix(seed)
    return scenario if items is None else evolve(scenario, items=items)
