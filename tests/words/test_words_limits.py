"""Limits: what may be told of a rate, and that a wrong value is one sentence."""

import pickle

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.settings import ClientSettings, Limits
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.validators import checked_seconds, checked_wait


def test_no_rate_is_known_unless_it_is_told():
    """The defaults: 64 at once, no rate, and what is unknown is looked for."""
    limits = Limits()
    assert (limits.concurrency, limits.rate_per_s, limits.burst) == (64, None, None)
    assert limits.adaptive is True


@pytest.mark.parametrize("rate", [None, 0.001, 50, 12.5, 10**9])
def test_a_rate_is_a_number_above_zero_or_none(rate):
    """A fraction of one per second is a rate as well."""
    assert Limits(rate_per_s=rate).rate_per_s == rate


@pytest.mark.parametrize("kind", ["redis", "postgres", "split"])
def test_a_shared_rate_stands_in_the_place_of_a_number(kind):
    """Whichever way the processes share it."""
    rate = {
        "redis": lambda: SharedRate.redis("redis://127.0.0.1", "quota", 200),
        "postgres": lambda: SharedRate.postgres("postgresql://127.0.0.1/x", "quota", 200),
        "split": lambda: SharedRate.split(200, workers=4),
    }[kind]()
    assert Limits(rate_per_s=rate).rate_per_s is rate


@pytest.mark.parametrize(
    "value", [0, -1, float("nan"), float("inf"), 1e10, 10**400, True, "50", b"", [1]]
)
def test_a_rate_that_is_none_is_refused(value):
    """Zero, too: a client that may send nothing is a mistake."""
    with pytest.raises(ConfigurationError) as caught:
        Limits(rate_per_s=value)
    sentence = "rate_per_s must be a number greater than 0, up to a billion, not "
    assert str(caught.value) == sentence + repr(value)


@pytest.mark.parametrize("burst", [None, 1, 1.5, 100])
def test_a_burst_is_one_at_least(burst):
    """None leaves it to the pace."""
    assert Limits(rate_per_s=50, burst=burst).burst == burst


@pytest.mark.parametrize("value", [0, 0.99, -1, float("nan"), float("inf"), True, "2"])
def test_a_burst_below_one_is_refused(value):
    """With less than one nothing could ever be sent."""
    with pytest.raises(ConfigurationError) as caught:
        Limits(rate_per_s=50, burst=value)
    sentence = f"burst must be a number at least 1, up to a billion, not {value!r}"
    assert str(caught.value) == sentence


@pytest.mark.parametrize("value", ["no", "yes", 0, 1, None, 0.5])
@pytest.mark.parametrize("name", ["adaptive", "single_flight"])
def test_a_switch_is_true_or_false(name, value):
    """A "no" would count as yes."""
    make = {
        "adaptive": lambda **given: Limits(**given),
        "single_flight": lambda **given: ClientSettings(base_url="https://x", token="t", **given),
    }[name]
    for given in (True, False):
        assert getattr(make(**{name: given}), name) is given
    with pytest.raises(ConfigurationError) as caught:
        make(**{name: value})
    assert str(caught.value) == f"{name} must be True or False, not {value!r}"


def test_limits_travel_to_other_processes():
    """They are a value: equal after a pickle, and usable as a key."""
    limits = Limits(8, rate_per_s=SharedRate.split(200, workers=4), burst=3, adaptive=False)
    assert pickle.loads(pickle.dumps(limits)) == limits
    assert len({limits, pickle.loads(pickle.dumps(limits))}) == 1


@pytest.mark.parametrize("value", [None, 0.001, 5, 1e9])
def test_a_deadline_may_be_none(value):
    """None is no limit."""
    assert checked_seconds(value, "deadline_s") == value


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan"), float("inf"), 2e9])
def test_a_deadline_that_is_no_time_is_refused(value):
    """The sentence says what is accepted."""
    with pytest.raises(
        ConfigurationError, match=r"^deadline_s must be a number of seconds above 0"
    ):
        checked_seconds(value, "deadline_s")


@pytest.mark.parametrize("value", [0, 0.001, 10, 1e9])
def test_a_wait_may_be_none_at_all(value):
    """0 does not wait."""
    assert checked_wait(value, "grace_s") == value


@pytest.mark.parametrize("value", [None, False, True, "", "5", [], -1, float("nan"), float("inf")])
def test_a_wait_has_an_end(value):
    """None is not a time, nor is whatever else counts as nothing."""
    sentence = f"grace_s must be a number of seconds, 0 or more, up to a billion, not {value!r}"
    with pytest.raises(ConfigurationError) as caught:
        checked_wait(value, "grace_s")
    assert str(caught.value) == sentence
