"""``Retry-After`` is obeyed in all its forms, and garbage in it never raises (promise 7)."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from altcraft_balance.policy.retry_after import read_retry_after

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)
IMF = "Sun, 06 Nov 1994 08:49:37 GMT"
RFC_850 = "Sunday, 06-Nov-94 08:49:37 GMT"
ASCTIME = "Sun Nov  6 08:49:37 1994"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("5", 5.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("3.", 3.0),
        ("86400", 86400.0),
        ("1000000000", 1e9),
        ("99999999999", 1e10),
        ("9" * 5000, 1e10),
        (IMF, 30.0),
        (RFC_850, 30.0),
        (ASCTIME, 30.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 30.0),
        ("Sun, 06 Nov 1994 08:49:37", 30.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_seconds_and_the_three_date_forms_are_read(value, seconds):
    """A number is seconds, a date is the time until it, and a date that has passed is now."""
    assert read_retry_after(value, date=None, now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *[
            "",
            " ",
            "-5",
            "+5",
            "1e3",
            "0x10",
            "5 s",
            "5,5",
            "five",
            "NaN",
            "inf",
            "Infinity",
            "1_0",
        ],
        *[
            "١٢",
            "\uff11\uff12",
            ".5",
            "1.2.3",
            "soon",
            "GMT",
            "Sun",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            ",",
        ],
        *[
            "Sun, 06 Nov 1994 25:61:61 GMT",
            "06 Nov 99999 00:00:00 GMT",
            "Sun, 06 Foo 1994 08:49:37",
        ],
        *["1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 +9999", "\x00", "5\x00", "5; 6"],
    ],
)
def test_garbage_is_no_wish(value):
    """What cannot be read asks for nothing."""
    assert read_retry_after(value, date=None, now=NOW) is None


@pytest.mark.parametrize("skew_s", [0, -86400, 86400, 10**8, -(10**8)])
@pytest.mark.parametrize("value", [IMF, RFC_850, ASCTIME])
def test_a_skewed_clock_does_not_matter_when_the_reply_has_a_date(value, skew_s):
    """A date is measured against the server's own clock."""
    now = NOW + timedelta(seconds=skew_s)
    assert read_retry_after(value, date="Sun, 06 Nov 1994 08:48:37 GMT", now=now) == 60.0


@pytest.mark.parametrize("date", [None, "", "garbage", "12"])
def test_without_a_readable_date_our_clock_decides(date):
    """A broken ``Date`` is as good as none."""
    assert read_retry_after(IMF, date=date, now=NOW) == 30.0


@pytest.mark.parametrize(
    ("now_year", "digits", "year"),
    [
        (2026, "26", 2026),
        (2026, "27", 2027),
        (2026, "76", 2076),
        (2026, "77", 1977),
        (2026, "94", 1994),
        (1994, "94", 1994),
        (1994, "44", 1944),
        (2099, "00", 2000),
    ],
)
def test_two_digits_of_a_year_mean_the_past_when_they_are_far_ahead(now_year, digits, year):
    """RFC 9110, section 5.6.7: more than 50 years ahead is the past century."""
    now = datetime(now_year, 1, 1, tzinfo=UTC)
    wanted = max(0.0, (datetime(year, 11, 6, tzinfo=UTC) - now).total_seconds())
    assert read_retry_after(f"Sunday, 06-Nov-{digits} 00:00:00 GMT", date=None, now=now) == wanted


@given(st.integers(0, 10**9), st.integers(-(10**6), 10**6), st.booleans())
def test_nobody_asks_earlier_than_told(wait_s, skew_s, has_date):
    """However the wish is written, what is read is at least what was meant."""
    sent = NOW.replace(microsecond=0)
    until = format_datetime(sent + timedelta(seconds=wait_s), usegmt=True)
    date = format_datetime(sent, usegmt=True) if has_date else None
    now = sent + timedelta(seconds=skew_s if has_date else 0)
    assert read_retry_after(until, date=date, now=now) >= wait_s
    assert read_retry_after(str(wait_s), date=date, now=now) >= wait_s


@pytest.mark.parametrize("error", [ValueError, TypeError, IndexError, OverflowError])
def test_what_the_standard_librarys_parser_trips_over_is_no_wish(error, monkeypatch):
    """Its parser of dates raised each of these on some text, in some version of Python."""

    def trip(_):
        raise error("boom")

    monkeypatch.setattr("altcraft_balance.policy.retry_after.parsedate_to_datetime", trip)
    assert read_retry_after(IMF, date=IMF, now=NOW) is None


HTTP_ISH = st.text("0123456789SunNovGMT:,-+. \t", max_size=40)
DATES = st.sampled_from([IMF, RFC_850, ASCTIME])


@st.composite
def broken_dates(draw):
    text = draw(DATES)
    start = draw(st.integers(0, len(text)))
    return (
        text[:start]
        + draw(HTTP_ISH | st.text(max_size=5))
        + text[start + draw(st.integers(0, 6)) :]
    )


@given(
    st.text() | HTTP_ISH | broken_dates(),
    st.none() | st.text() | broken_dates(),
    st.datetimes(timezones=st.just(UTC))
    | st.just(datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))),
)
@example("Fri, 31 Dec 9999 23:59:59 -1400", "Mon, 01 Jan 0001 00:00:00 +1400", NOW)
@example("Mon, 01 Jan 0001 00:00:00 +1400", "Fri, 31 Dec 9999 23:59:59 -1400", NOW)
@example("9" * 400, None, NOW)
@example("Sun, 06 Nov 1994 08:49:37 -", None, NOW)
@example("Sun, 06-Nov-99999999999999999999 08:49:37 GMT", None, NOW)
def test_nothing_raises(value, date, now):
    """Any text, in either header, gives nothing or a finite number of seconds, never an error."""
    wait_s = read_retry_after(value, date=date, now=now)
    assert wait_s is None or 0 <= wait_s < 1e12
