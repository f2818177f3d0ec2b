"""One table of exit codes for every command."""

import pytest

from altcraft_balance.cli.exits import MEANINGS, ExitCode, code_of
from altcraft_balance.errors import (
    AccessDenied,
    ApiError,
    AttemptTimeout,
    AuthenticationError,
    BadRequest,
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
    DeadlineExceeded,
    HttpStatusError,
    InvalidQuery,
    NotAMember,
    RateLimited,
    TariffLimitReached,
    TlsRefused,
    UnexpectedReply,
)

UNAVAILABLE = HttpStatusError("m", status=503)
CODES = [
    (ConfigurationError("m"), 2),
    (InvalidQuery("m"), 2),
    (BadRequest("m", code=400), 3),
    (ApiError("m", code=500), 3),
    (RateLimited("m", status=429), 3),
    (UNAVAILABLE, 3),
    (UnexpectedReply("m"), 3),
    (ClientClosed("m"), 3),
    (HttpStatusError("m", status=404), 3),
    (DeadlineExceeded("m", phase="backoff", last_error=UNAVAILABLE), 3),
    (NotAMember("m", code=403), 4),
    (ConnectionFailed("m"), 69),
    (TlsRefused("m"), 69),
    (AttemptTimeout("m"), 69),
    (DeadlineExceeded("m", phase="slot"), 69),
    (DeadlineExceeded("m", phase="attempt", last_error=AttemptTimeout("m")), 69),
    (AuthenticationError("m", code=401), 77),
    (TariffLimitReached("m", code=402), 77),
    (AccessDenied("m", code=403), 77),
    (HttpStatusError("m", status=401), 77),
    (HttpStatusError("m", status=407), 77),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=lambda value: getattr(value, "kind", value))
def test_every_error_has_its_code(error, code):
    """The code says whose turn it is: the user's, the network's, the platform's."""
    assert code_of(error) == code


def test_every_code_is_explained():
    """The table in --help leaves none out."""
    assert list(MEANINGS) == list(ExitCode)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("get", "--help"),
        ("refresh", "--help"),
        ("status", "--help"),
        ("sandbox", "-h"),
        ("demo", "-h"),
    ],
)
def test_every_help_page_has_the_table(command, arguments):
    """Exit codes stand below the options, and the page fits 80 columns."""
    ended = command(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert all(f"{code}  {meaning}" in ended.out for code, meaning in MEANINGS.items())
    assert max(map(len, ended.out.splitlines())) <= 80


def test_no_arguments_show_the_help(command):
    """The bare command is wrong usage that explains itself."""
    ended = command()
    assert ended.code == 2
    assert "Usage:" in ended.out + ended.err


def test_the_version_is_one_line(command):
    """--version says which program and which version."""
    ended = command("--version")
    assert ended.code == 0
    assert ended.out.startswith("altcraft-balance ")
    assert ended.out.count("\n") == 1


def test_help_names_the_shared_variables(command):
    """The variables that `from_env` reads stand beside their options; no option takes a token."""
    page = command("get", "--help").out
    for name in ("BASE_URL", "TOKEN_FILE", "LOYALTY_PROGRAM_ID", "POINTS_CURRENCY_EID"):
        assert f"ALTCRAFT_{name}" in page
    assert "--token " not in page


def test_a_bug_is_one_short_line(command, server, monkeypatch):
    """An unforeseen exception exits 1 and shows its type, not its text: that may hold anything."""
    monkeypatch.setattr("altcraft_balance.cli.get.BalanceClient", _broken)
    ended = command("get", "--email", "user@example.com")
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "ZeroDivisionError" in ended.err
    assert "ALTCRAFT_BALANCE_DEBUG=1" in ended.err
    assert "canary" not in ended.err


def test_a_bugs_traceback_is_shown_on_demand(command, server, monkeypatch):
    """With ALTCRAFT_BALANCE_DEBUG=1 the traceback stands below, without anyone's locals."""
    monkeypatch.setattr("altcraft_balance.cli.get.BalanceClient", _broken)
    ended = command("get", "--email", "user@example.com", ALTCRAFT_BALANCE_DEBUG="1")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "user@example.com" not in ended.err
    assert "sandbox-token" not in ended.err


def _broken(**_):
    raise ZeroDivisionError("canary")
