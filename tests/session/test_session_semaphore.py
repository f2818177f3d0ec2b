"""The semaphore: never more in use than its width, and a reserve for calls."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from altcraft_balance.session.semaphore import Semaphore


@pytest.mark.parametrize(("most", "reserve"), [(1, 0), (2, 1), (8, 1), (16, 2), (64, 8), (100, 12)])
def test_while_calls_keep_coming_a_batch_leaves_an_eighth_free(most, reserve):
    """One at least, unless there is only one; for ten seconds after the last call."""
    slots = Semaphore(most)
    assert slots.reserved(0.0) == 0
    slots.take(0.0, for_call=True)
    slots.release()
    assert [slots.reserved(now) for now in (0.0, 9.9, 10.0, 1e6)] == [reserve, reserve, 0, 0]


@pytest.mark.parametrize(("width", "reserve"), [(64, 8), (17, 2), (9, 1), (8, 1), (2, 1), (1, 0)])
def test_however_narrow_a_batch_has_one_slot(width, reserve):
    """Or it would never end while calls keep coming."""
    slots = Semaphore(64)
    slots.take(0.0, for_call=True)
    slots.release()
    slots.width = width
    assert slots.reserved(1.0) == reserve
    assert slots.has_room(1.0, for_call=False)


def test_a_batch_alone_has_all_slots():
    """A reserve that nobody uses is waste."""
    slots = Semaphore(4)
    for _ in range(4):
        assert slots.has_room(0.0, for_call=False)
        slots.take(0.0, for_call=False)
    assert not slots.has_room(0.0, for_call=False)
    assert not slots.has_room(0.0, for_call=True)


def test_the_reserve_is_for_calls():
    """They find room where the batch does not."""
    slots = Semaphore(4)
    slots.take(0.0, for_call=True)
    slots.take(0.0, for_call=False)
    slots.take(0.0, for_call=False)
    assert not slots.has_room(0.0, for_call=False)
    assert slots.has_room(0.0, for_call=True)


def test_a_narrower_width_takes_nothing_away():
    """Those in use go on; there is room when enough of them have ended."""
    slots = Semaphore(4)
    for _ in range(4):
        slots.take(0.0, for_call=False)
    slots.width = 2
    assert slots.in_use == 4
    for room in (False, False, True):
        slots.release()
        assert slots.has_room(0.0, for_call=True) is room


def test_a_slot_that_nobody_had_cannot_be_given_back():
    """A bug shows at once, and not as one slot too many."""
    slots = Semaphore(2)
    with pytest.raises(RuntimeError):
        slots.release()
    assert slots.in_use == 0


class SemaphoreMachine(RuleBasedStateMachine):
    """Against a list of who has a slot, and a count of what a call may always have."""

    @initialize(most=st.integers(1, 70))
    def make(self, most):
        self.slots, self.most, self.width, self.now = Semaphore(most), most, most, 0.0
        self.holders, self.called_at = [], None

    def reserve(self):
        if self.called_at is None or self.now >= self.called_at + 10:
            return 0
        return min(max(1, self.width // 8), self.width - 1)

    def room(self, for_call):
        return self.width - len(self.holders) - (0 if for_call else self.reserve())

    @rule(seconds=st.floats(0, 12))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule(for_call=st.booleans(), wanted=st.integers(1, 80))
    def take(self, for_call, wanted):
        for _ in range(wanted):
            has_room = self.slots.has_room(self.now, for_call=for_call)
            assert has_room is (self.room(for_call) > 0)
            if not has_room:
                return
            self.slots.take(self.now, for_call=for_call)
            self.holders.append(for_call)
            if for_call:
                self.called_at = self.now

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), many=st.integers(1, 20))
    def release(self, data, many):
        for _ in range(min(many, len(self.holders))):
            self.holders.pop(data.draw(st.integers(0, len(self.holders) - 1)))
            self.slots.release()

    @rule(share=st.floats(0, 1))
    def narrow_or_widen(self, share):
        self.width = self.slots.width = max(1, round(share * self.most))

    @invariant()
    def the_counts_agree(self):
        assert self.slots.in_use == len(self.holders) <= self.most
        assert self.slots.reserved(self.now) == self.reserve() < self.width

    @invariant()
    def a_batch_is_never_shut_out_of_an_idle_semaphore(self):
        if not self.holders:
            assert self.slots.has_room(self.now, for_call=False)


TestSemaphoreMachine = SemaphoreMachine.TestCase
