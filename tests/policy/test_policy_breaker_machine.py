"""The breaker against a model that knows no table: failures in a row, and one probe."""

import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from altcraft_balance.policy.breaker import Breaker

draws = st.floats(0, 1, exclude_max=True)


class BreakerMachine(RuleBasedStateMachine):
    """Attempts begin when the breaker lets them, and end in any order."""

    def __init__(self):
        super().__init__()
        self.breaker, self.now = Breaker(), 0.0
        self.running, self.in_a_row, self.silent_from = 0, 0, []
        self.probe, self.open, self.probed_at = False, False, -math.inf
        self.doubted, self.probes = False, 0

    @rule(seconds=st.floats(0.001, 1) | st.floats(1, 40))
    def time_goes_by(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.open and not self.probe)
    @rule()
    def time_goes_by_until_a_probe_is_due(self):
        self.now += self.breaker.wait_s(self.now)

    @precondition(lambda self: self.breaker.wait_s(self.now) == 0)
    @rule(draw=draws, many=st.integers(1, 30))
    def send(self, draw, many):
        for _ in range(many):
            if self.breaker.wait_s(self.now):
                break
            probe = self.breaker.sent(self.now, draw)
            assert probe is self.open
            if probe:
                assert not self.probe
                self.probe, self.probed_at = True, self.now
                self.probes += 1
            else:
                self.running += 1

    @precondition(lambda self: self.running)
    @rule(draw=draws, many=st.integers(1, 25), replied=st.booleans())
    def fail(self, draw, many, replied):
        for _ in range(min(many, self.running)):
            self.running -= 1
            opened = self.breaker.failed(self.now, probe=False, draw=draw, replied=replied)
            if self.open:
                assert not opened
                continue
            self.in_a_row += 1
            self.silent_from = [] if replied else [*self.silent_from, self.now]
            silent = len(self.silent_from) >= 5 and self.now - self.silent_from[0] >= 0.5
            assert opened is (self.in_a_row >= 20 or silent)
            self.open, self.doubted = opened, False
            self.probed_at = self.now if opened else self.probed_at

    @precondition(lambda self: self.running)
    @rule()
    def answer(self):
        self.running -= 1
        assert not self.breaker.answered(probe=False)
        if not self.open:
            self.in_a_row, self.silent_from = 0, []

    @precondition(lambda self: self.probe)
    @rule()
    def answer_the_probe(self):
        assert self.breaker.answered(probe=True)
        assert self.breaker.false_alarm is (self.doubted and self.probes == 1)
        self.probe = self.open = False
        self.in_a_row, self.silent_from, self.probes = 0, [], 0

    @precondition(lambda self: self.open and not self.probe and not self.probes)
    @rule()
    def doubt(self):
        self.breaker.doubt(self.now)
        self.doubted, self.probed_at = True, -math.inf

    @precondition(lambda self: self.probe)
    @rule(draw=draws, replied=st.booleans())
    def fail_the_probe(self, draw, replied):
        assert self.breaker.failed(self.now, probe=True, draw=draw, replied=replied)
        self.probe = False

    @precondition(lambda self: self.probe)
    @rule(sent=st.booleans())
    def lose_the_probe(self, sent):
        self.breaker.lost(self.now, sent=sent)
        self.probe = False
        if not sent:
            self.probed_at = -math.inf
            assert self.breaker.wait_s(self.now) == 0

    @invariant()
    def the_states_agree(self):
        word = ("probing" if self.probe else "open") if self.open else "closed"
        assert self.breaker.state.value == word

    @invariant()
    def nobody_waits_without_reason_or_end(self):
        wait_s = self.breaker.wait_s(self.now)
        if not self.open:
            assert wait_s == 0
        elif self.probe:
            assert wait_s == math.inf
        else:
            assert 0 <= wait_s <= 30
            assert wait_s > 0 or self.now - self.probed_at >= 1 - 1e-9


TestBreakerMachine = BreakerMachine.TestCase
