"""The server's clock, carried on by our own."""

from altcraft_balance.pace.clock import ServerClock


def test_it_must_be_asked_first():
    """Before the first answer, and after it is forgotten, nothing is known."""
    clock = ServerClock()
    assert clock.is_stale(0)
    clock.set(5000.0, 7)
    assert not clock.is_stale(7)
    clock.forget()
    assert clock.is_stale(7)


def test_an_answer_is_carried_on_for_a_second():
    """In whole milliseconds, rounded down: behind the server's clock, never ahead."""
    clock = ServerClock()
    clock.set(1_700_000_000_000.9, 50.0)
    assert clock.now_ms(50.0) == 1_700_000_000_000
    assert clock.now_ms(50.25) == 1_700_000_000_250
    assert not clock.is_stale(51.0)
    assert clock.is_stale(51.001)
