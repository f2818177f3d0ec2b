"""The retry budget: 35 retries in vain, and no more; answers pay them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from altcraft_balance.policy.backoff import probe_after_s
from altcraft_balance.policy.budget import CAPACITY, RETRY_COST, Budget

draws = st.floats(0, 1, exclude_max=True)


def with_tokens(tokens):
    budget = Budget()
    budget.tokens = tokens
    return budget


def test_the_figures_are_the_documented_ones():
    """Those of botocore's standard mode."""
    assert (CAPACITY, RETRY_COST, Budget().tokens) == (500, 14, 500)


def test_a_dead_server_gets_35_retries():
    """The 36th is not paid for, and takes nothing."""
    budget = Budget()
    taken = [budget.take() for _ in range(40)]
    assert taken == [14] * 35 + [0] * 5
    assert budget.tokens == 10


@pytest.mark.parametrize(
    ("tokens", "taken", "left"), [(500, 14, 486), (14, 14, 0), (13, 0, 13), (0, 0, 0)]
)
def test_a_retry_takes_its_tokens_or_none(tokens, taken, left):
    """There is no half retry."""
    budget = with_tokens(tokens)
    assert budget.take() == taken
    assert budget.tokens == left


@pytest.mark.parametrize(
    ("tokens", "taken", "then"),
    [(100, 0, 101), (100, 14, 115), (100, 70, 171), (490, 14, 500), (500, 0, 500), (500, 70, 500)],
)
def test_an_answer_gives_back_what_its_retries_took_and_one_more(tokens, taken, then):
    """Up to the capacity."""
    budget = with_tokens(tokens)
    budget.answered(taken)
    assert budget.tokens == then


@pytest.mark.parametrize(("tokens", "then"), [(0, 14), (100, 114), (490, 500)])
def test_a_retry_that_was_not_sent_is_free(tokens, then):
    """What was taken for it comes back, without the one more that an answer brings."""
    budget = with_tokens(tokens)
    budget.give_back(14)
    assert budget.tokens == then


def test_a_parked_item_waits_only_when_the_tokens_are_gone():
    """The first probe may go at once."""
    budget = with_tokens(14)
    assert budget.wait_s(5.0) == 0.0
    assert budget.spend(5.0, 0.5) == 14
    assert (budget.tokens, budget.wait_s(5.0)) == (0, 0.0)
    assert budget.spend(5.0, 0.5) == 0  # a probe, after which the next one has to wait
    assert budget.wait_s(5.0) > 0
    budget.give_back(14)
    assert budget.wait_s(5.0) == 0.0


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_probes_of_an_empty_budget_become_rarer(draw):
    """One at a time, a second apart at first and half a minute in the end."""
    budget, now, gaps, sent = with_tokens(0), 100.0, [], []
    for _ in range(50):
        assert budget.spend(now, draw) == 0
        assert budget.tokens == 0
        sent.append(now)
        gaps.append(budget.wait_s(now))
        now += gaps[-1]
        assert budget.wait_s(now) == 0.0
    assert gaps == [pytest.approx(probe_after_s(at - 100.0, draw)) for at in sent]
    assert gaps[0] < 1.5
    assert gaps[-1] == pytest.approx(15 * (1 + draw))


@pytest.mark.parametrize("tokens", [0, 13])
def test_a_probe_that_is_answered_brings_tokens_for_a_few_retries(tokens):
    """The server is well: the next probe, if those are in vain, may go at once."""
    budget = with_tokens(tokens)
    budget.spend(0.0, 0.0)
    assert budget.wait_s(0.0) == 1.0
    budget.answered(0)
    budget.trust()
    assert (budget.tokens, budget.wait_s(0.0)) == (140, 0.0)
    budget.tokens = 0
    assert budget.wait_s(0.0) == 0.0


def test_trust_takes_no_tokens_away():
    """Other answers may have brought more."""
    budget = with_tokens(300)
    budget.trust()
    assert budget.tokens == 300


def test_after_an_answer_probes_begin_anew_at_a_second():
    """The server is back: what was rare becomes frequent again."""
    budget, now = with_tokens(0), 0.0
    for _ in range(20):
        budget.spend(now, 0.0)
        now += budget.wait_s(now)
    assert now > 30
    budget.answered(0)
    budget.spend(now, 0.0)
    assert budget.wait_s(now) == 1.0


def test_a_probe_that_was_not_sent_is_due_again_at_once():
    """It was not asked, and has brought no tokens."""
    budget = with_tokens(0)
    budget.spend(0.0, 0.5)
    budget.unasked()
    assert (budget.tokens, budget.wait_s(0.0)) == (0, 0.0)


def test_an_outage_that_is_over_leaves_no_debt():
    """Everybody may retry again."""
    budget = with_tokens(0)
    budget.spend(0.0, 0.5)
    budget.refill()
    assert (budget.tokens, budget.wait_s(0.0)) == (500, 0.0)
    budget.tokens = 0
    assert budget.wait_s(0.0) == 0.0


@given(st.lists(st.booleans(), max_size=300))
def test_a_server_that_answers_every_retried_lookup_never_empties_it(retried):
    """However many retries there are: what counts is how many are in vain."""
    budget = Budget()
    for again in retried:
        taken = budget.take() if again else 0
        assert taken == (14 if again else 0)
        budget.answered(taken)
    assert budget.tokens == 500


class BudgetMachine(RuleBasedStateMachine):
    """Against a model that counts in whole tokens and remembers when the last probe was."""

    def __init__(self):
        super().__init__()
        self.budget, self.now, self.tokens = Budget(), 0.0, 500
        self.probed_at, self.probes, self.outstanding = None, 0, []

    @rule(seconds=st.floats(0.01, 40))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule(times=st.integers(1, 12))
    def calls_retry(self, times):
        for _ in range(times):
            taken = 14 if self.tokens >= 14 else 0
            assert self.budget.take() == taken
            self.tokens -= taken
            self.outstanding.append(taken)

    @precondition(lambda self: self.budget.wait_s(self.now) == 0)
    @rule(draw=draws)
    def an_item_retries(self, draw):
        taken = 14 if self.tokens >= 14 else 0
        if not taken:
            if self.probed_at is not None:
                assert self.now - self.probed_at >= 1 - 1e-9
            self.probed_at, self.probes = self.now, self.probes + 1
        assert self.budget.spend(self.now, draw) == taken
        self.tokens -= taken
        self.outstanding.append(taken)

    @precondition(lambda self: self.outstanding)
    @rule()
    def one_is_answered(self):
        self._end(1)
        self.probes = 0

    @rule()
    def a_first_attempt_is_answered(self):
        self.budget.answered(0)
        self.tokens, self.probes = min(500, self.tokens + 1), 0

    @precondition(lambda self: self.outstanding)
    @rule()
    def one_fails_for_good(self):
        self.outstanding.pop()

    @precondition(lambda self: self.outstanding)
    @rule()
    def one_is_not_sent(self):
        self._end(0)

    @precondition(lambda self: self.probes)
    @rule()
    def a_probe_is_answered(self):
        self.budget.trust()
        self.tokens, self.probed_at, self.probes = max(self.tokens, 140), None, 0

    @rule()
    def the_outage_is_over(self):
        self.budget.refill()
        self.tokens, self.probed_at, self.probes = 500, None, 0

    def _end(self, bonus):
        taken = self.outstanding.pop()
        (self.budget.answered if bonus else self.budget.give_back)(taken)
        self.tokens = min(500, self.tokens + taken + bonus)

    @invariant()
    def the_tokens_agree(self):
        assert self.budget.tokens == self.tokens
        assert 0 <= self.tokens <= 500

    @invariant()
    def whoever_is_parked_has_a_turn_within_half_a_minute(self):
        wait_s = self.budget.wait_s(self.now)
        assert 0 <= wait_s <= 30
        assert not (wait_s and self.tokens >= 14)
        if self.tokens < 14 and self.probes and self.now - self.probed_at < 1 - 1e-9:
            assert wait_s > 0


TestBudgetMachine = BudgetMachine.TestCase
