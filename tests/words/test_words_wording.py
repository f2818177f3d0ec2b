"""Sentences about settings, in the words of whoever set them."""

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.wording import called, renamed

NAMES = {"name": "--rate-name", "per_s": "--rate", "base_url": "--base-url", "proxy": "--proxy"}
NAMES |= {"fresh=True": "--fresh", "run_id": "--run-id", "column": "--column", "keep": "--keep"}


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("name must be short", "--rate-name must be short"),
        ("per_s must be above 0", "--rate must be above 0"),
        ("burst needs per_s, the rate", "burst needs --rate, the rate"),
        ("rate_per_s is not per_s", "rate_per_s is not --rate"),
        ("base_url must not carry a user name", "--base-url must not carry a user name"),
        (
            "proxy must look like http://proxy.example",
            "--proxy must look like http://proxy.example",
        ),
        ("kind must be redis, not 'base_url'", "kind must be redis, not 'base_url'"),
        ("drop it with fresh=True", "drop it with --fresh"),
        ("fresh starts are free", "fresh starts are free"),
        (
            "begun with others (column, output, keep); give another run_id",
            "begun with others (--column, output, --keep); give another --run-id",
        ),
        ("/data/run_id/a.csv exists", "/data/run_id/a.csv exists"),
        ("run_id.csv is empty", "run_id.csv is empty"),
        ("column-1.csv is empty", "column-1.csv is empty"),
        ("column 'x' is not in a.csv", "--column 'x' is not in a.csv"),
        ("", ""),
    ],
)
def test_a_setting_is_called_by_its_other_name(sentence, said):
    """A plain word only where it must be meant, so that no other word is taken for it."""
    assert renamed(sentence, NAMES) == said


def test_an_error_stays_the_same_error():
    """Only its sentence changes: nothing hangs on to it that has frames of its own."""
    error = ConfigurationError("per_s must be above 0")
    sentence = r"^--rate must be above 0"
    with pytest.raises(ConfigurationError, match=sentence) as caught, called(NAMES):
        raise error
    assert caught.value is error
    assert error.__context__ is None


def test_other_errors_are_left_alone():
    """A server's text is not about settings."""
    with pytest.raises(RuntimeError, match="per_s"), called(NAMES):
        raise RuntimeError("per_s")
