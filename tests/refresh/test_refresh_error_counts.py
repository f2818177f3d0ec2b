"""Errors are counted by kind, with a few examples in which nobody is named."""

import json

import pytest

from altcraft_balance.refresh.rows.error_counts import ErrorCounts
from altcraft_balance.refresh.rows.masking import masked

KEY = ("failed", "http_status", None)

MASKED = {
    "no profile user.name+x@example.com here": "no profile *** here",
    "to=<user@пример.рф>, twice": "to=<*** twice",
    "user%40example.com": "***",
    "user\uff20example.com": "***",
    "call +7 (912) 345-67-89 now": "call *** now",
    "call 8\u200b912\u200b3456789": "call ***",
    "profile 1234567 of 12": "profile *** of 12",
    "card 4111 1111 1111 1111": "card ***",
    "HTTP 502 after 3 attempts": "HTTP 502 after 3 attempts",
    "at 2026-11-26": "at ***",
    "a\x00b\n c\u202ed": "a b c d",
    "": "",
}


@pytest.mark.parametrize(("text", "shown"), MASKED.items())
def test_nobody_is_named(text, shown):
    """Addresses, phones and long numbers go, in whatever way they are written."""
    assert masked(text) == shown


@pytest.mark.parametrize("text", ["x" * 5_000, "1 " * 5_000, "@" * 5_000, ("a" * 99 + " ") * 50])
def test_an_example_is_short(text):
    """However long the server's answer was; and it takes no time."""
    assert len(masked(text)) <= 160


def test_what_is_cut_off_is_not_half_shown():
    """An address of which only the beginning was read does not look like one any more."""
    masked_ones = f"{'a' * 60}@example.com " * 13
    text = f"{masked_ones}{'x' * 30} {'secretname' * 2}@example.com"
    assert text[:1_000].endswith("secretname")
    assert masked(text) == f"{'*** ' * 13}{'x' * 30}…"


def test_they_are_counted_by_status_kind_and_code():
    """From the most on, each with three examples that differ."""
    counts = ErrorCounts()
    for number in range(9):
        counts.add(KEY, f"HTTP 50{number % 2}")
        counts.add(("failed", "api", 441 if number else 440), f"text {number}")
    assert counts.shown() == {
        "kinds": [
            {"status": "failed", "kind": "http_status", "code": None, "count": 9,
             "examples": ["HTTP 500", "HTTP 501"]},
            {"status": "failed", "kind": "api", "code": 441, "count": 8,
             "examples": ["text 1", "text 2", "text 3"]},
            {"status": "failed", "kind": "api", "code": 440, "count": 1, "examples": ["text 0"]},
        ],
        "beyond": 0,
    }  # fmt: skip


def test_a_restart_changes_nothing():
    """Counts and examples go on."""
    whole, parts = ErrorCounts(), ErrorCounts()
    for number in range(50):
        key = ("failed", "api", number % 30)
        whole.add(key, f"text {number}")
        parts.add(key, f"text {number}")
        parts = ErrorCounts(json.loads(json.dumps(parts.as_dict())))
    assert parts.shown() == whole.shown()
    assert len(whole.shown()["kinds"]) == 24
    assert whole.shown()["beyond"] == 50 - sum(kind["count"] for kind in whole.shown()["kinds"])


def test_a_million_kinds_are_as_few():
    """What is kept is bounded."""
    counts = ErrorCounts()
    for number in range(100_000):
        counts.add(("failed", "api", number), "word " * 60)
    assert len(json.dumps(counts.as_dict())) < 12_000
    assert counts.shown()["beyond"] == 100_000 - 24
