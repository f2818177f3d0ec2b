"""The page of any run, and of any file that is none."""

import json
import re
import sys

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.report.page import report_page
from altcraft_balance.refresh.report.reading import read_summary
from altcraft_balance.refresh.rows.tally import Tally
from altcraft_balance.refresh.summary import nothing_done
from tests.refresh.summaries import a_night, begun, failed, found, second, summary_of

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def text_of(page):
    body = page.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def short(rows, seconds=1.0, **facts):
    tally = begun()
    second(tally, rows=rows, seconds=seconds)
    return summary_of(tally, **facts)


def test_it_needs_nothing_from_anywhere():
    """No script, no address of anything, one policy that allows nothing, and colours by name."""
    page = report_page(a_night())
    assert f'content="{POLICY}"' in page
    for word in ("<script", "http:", "https:", "//", "<link", "<img", "url(http", "@import"):
        assert word not in page
    assert re.findall(r"(?:fill|stroke): #", page) == []
    identifiers = re.findall(r'\bid="([^"]*)"', page)
    assert len(identifiers) == len(set(identifiers)) > 20
    references = re.findall(r'(?:href="|url\()#([^")]*)', page)
    labels = re.findall(r'aria-(?:labelledby|describedby)="([^"]*)"', page)
    assert len(labels) == 12
    assert set(references + labels) <= set(identifiers)


def test_the_same_summary_gives_the_same_page():
    """To the byte, and without the day on which it is made."""
    assert report_page(a_night()) == report_page(a_night())


def test_drawing_leaves_no_trace():
    """Neither matplotlib's settings nor its figures of the program around change, or matter."""
    import matplotlib as mpl

    page = report_page(a_night())
    with mpl.rc_context({"font.size": 40, "axes.facecolor": "red", "text.usetex": True}):
        before = mpl.rcParams.copy()
        assert report_page(a_night()) == page
        assert mpl.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules


def test_it_says_what_came_of_it_and_why_it_was_slow():
    """In sentences, before anything else."""
    text = text_of(report_page(a_night()))
    assert text.startswith("nightly , 2026-11-25 22:00 UTC to 2026-11-27 04:00 UTC Finished")
    for sentence in (
        "5,542 of 5,542 rows answered",
        "5,500 balances found (99.2 %), 1 not in the program, 40 failed, 1 of bad input.",
        "It worked for 5 min 00 s in 2 processes, at 18 rows/s.",
        "72.9 % of the time, went into keeping to a rate (--rate, or found after a 429).",
        "It was slowest about 2026-11-25 22:01 UTC, at 2 rows/s, mostly by pauses that the server",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("summary", "words"),
    [
        (nothing_done("members.csv"), ("Under way", "0 rows answered", "No row has an answer yet")),
        (short(0, state="stopped"), ("Stopped before its end", "No row was answered.")),
        (short(1, seconds=0.0), ("Finished", "1 of 1 row answered", "1 balance found (100 %)")),
        (short(3, state="running", total=10), ("Under way", "3 of 10 rows answered")),
        (short(3, state="unfinished", total=None), ("Unfinished", "3 rows answered")),
        (short(3, total=10, total_is_exact=False), ("3 of about 10 rows",)),
        (short(3, state="broken", reason="the disk is full"), ("Broken off", "the disk is full")),
        (short(3, state="too_many_failed"), ("Stopped: too many failed",)),
        (short(3, is_within_max_failed=False), ("Finished, but more failed than may",)),
        (short(3), ("Nothing held it up for more than 1 % of its time.", "none failed")),
        (summary_of(Tally()), ("Nothing was counted yet.",)),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_any_run_has_a_page(summary, words):
    """Not finished, without a row, without a second."""
    text = text_of(report_page(summary))
    for sentence in words:
        assert sentence in text


def test_an_earlier_release_had_no_series():
    """The page says so, and shows the rest."""
    kept = a_night().as_dict(series=False)
    old = read_summary(json.dumps({**kept, "timeline": None}).encode(), "s.json")
    text = text_of(report_page(old))
    assert "need the summary of a newer release" in text
    assert "went into keeping to a rate" in text
    assert "stretch" not in text


def test_a_huge_summary_has_no_huge_page():
    """Nor have thousands of kinds, of currencies and of stretches."""
    night = a_night().as_dict()
    night["kinds"] = {f"kind{number}": 1 for number in range(20_000)}
    night["errors"]["kinds"] *= 1_000
    night["balances"]["currencies"] *= 100
    night["timeline"]["points"] *= 20
    page = report_page(read_summary(json.dumps(night).encode(), "s.json"))
    assert len(page) < 1_500_000
    assert "and 19,900 more" in page


def test_letters_that_a_drawing_cannot_have_are_replaced():
    """matplotlib would read formulas, and warn of letters that its font lacks."""
    tally = begun()
    for kind in ("$\\frac{$", "сбой", "a\x00b", "_" * 300):
        second(tally, answer=failed("no", kind=kind))
    page = report_page(summary_of(tally))
    assert ">$\\frac{$</text>" in page
    assert "сбой" in page


BROKEN = {
    "not JSON": b"{",
    "not text": b"\xff",
    "a list": b"[]",
    "another object": b"{}",
    "a count that is text": {"rows": "many"},
    "a count below nothing": {"requests": -1},
    "a number too large": {"elapsed_s": 1e300},
    "statuses that are a list": {"statuses": ["found"]},
    "a time that is none": {"started_at": "yesterday"},
    "a day that is none": {"started_at": "2026-13-45T00:00:00+00:00"},
    "a process that began in a month that is none": {
        "timeline": {"points": [], "processes": [{"at_s": 0, "at": "2026-13-01T00:00:00+00:00"}]}
    },
    "points that are none": {"timeline": {"points": [1], "processes": []}},
    "an amount that is none": {
        "balances": {"currencies": [{"currency": None, "total": {}, "active": {}}], "beyond": 0}
    },
    "an error without a count": {"errors": {"kinds": [{"kind": "x"}], "beyond": 0}},
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_summary_is_refused(case):
    """In one sentence that says what is wrong with it."""
    given = BROKEN[case]
    if isinstance(given, dict):
        given = json.dumps({**a_night().as_dict(), **given}).encode()
    with pytest.raises(ConfigurationError, match=r"^s\.json is no summary of a run \(.*\): give"):
        read_summary(given, "s.json")


def test_the_state_of_one_run_is_a_summary():
    """What ``status --json`` prints has the same fields; of several it is not said which."""
    run = {**short(3).as_dict(), "state": "under way"}
    read = read_summary(json.dumps({"runs": [run]}).encode(), "s.json")
    assert "Under way" in report_page(read)
    for runs in ([], [run, run]):
        with pytest.raises(ConfigurationError, match=f"has {len(runs)} runs"):
            read_summary(json.dumps({"runs": runs}).encode(), "s.json")


def test_an_unknown_field_is_no_trouble():
    """A newer release has others."""
    kept = {**a_night().as_dict(), "moon": "full"}
    assert read_summary(json.dumps(kept).encode(), "s.json") == a_night()


def test_huge_amounts_are_shown_whole():
    """All digits, with thousands apart."""
    tally = begun()
    tally.add([found("123456789" * 7, "0.0000000001")])
    page = report_page(summary_of(tally))
    assert f">{int('123456789' * 7):,}</data>" in page
    assert ">0.0000000001</data>" in page
