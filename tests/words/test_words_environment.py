"""Settings from the environment: each variable is read, an empty one is unset."""

import os
import traceback

import pytest

from altcraft_balance.environment import VARIABLES, from_environment
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid, CurrencyIid
from altcraft_balance.secret import Secret
from altcraft_balance.settings import ClientSettings, Limits, RetryPolicy, Timeouts
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.timetable import RateTimetable

NEEDED = {"BASE_URL": "https://ru.altkraft.com", "TOKEN": "canary"}

#: Variable, its text, what it makes of the setting.
READ = [
    ("BASE_URL", "https://panel.example.com/x", "https://panel.example.com/x"),
    ("LOYALTY_PROGRAM_ID", "123", 123),
    ("FORMAT", "xml", "xml"),
    ("AUTH", "both", "both"),
    ("TRANSPORT", "aiohttp", "aiohttp"),
    ("TRANSPORT", "direct", "direct"),
    ("NOT_A_MEMBER", "404, 440", {404, 440}),
    ("FATAL_CODES", "401 402", {401, 402}),
    ("CA_FILE", "/etc/ca.pem", "/etc/ca.pem"),
    ("CLIENT_CERT", "/etc/cert.pem", "/etc/cert.pem"),
    ("PROXY", "http://u:p@proxy:3128", "http://u:p@proxy:3128"),
    ("TRUST_ENV", "yes", True),
    ("USER_AGENT", "team/1", "team/1"),
    ("REQUEST_IDS", "1", True),
    ("MAX_BODY_BYTES", "4096", 4096),
    ("ALLOW_HTTP", "On", True),
    ("MAX_ATTEMPTS", "3", 3),
    ("RETRY_BASE_S", "0.5", 0.5),
    ("RETRY_CAP_S", "5", 5.0),
    ("CONNECT_S", "1.5", 1.5),
    ("ATTEMPT_S", "4", 4.0),
    ("DEADLINE_S", "none", None),
    ("DEADLINE_S", "12.5", 12.5),
    ("ITEM_DEADLINE_S", "60", 60.0),
    ("ITEM_DEADLINE_S", "None", None),
    ("CONCURRENCY", "8", 8),
    ("RATE_PER_S", "50", 50.0),
    ("RATE_PER_S", "0.5", 0.5),
    ("RATE_PER_S", "06:00,20 22:00,200", RateTimetable.read("06:00,20 22:00,200")),
    ("BURST", "2.5", 2.5),
    ("ADAPTIVE", "no", False),
    ("SINGLE_FLIGHT", "yes", True),
    ("SAVE_BAD", "bad/", "bad/"),
]


def arguments(*, prefix="ALTCRAFT_", overrides=None, **variables):
    environ = {prefix + name: text for name, text in {**NEEDED, **variables}.items()}
    return from_environment(environ, prefix, overrides or {})


@pytest.mark.parametrize(("name", "text", "value"), READ)
@pytest.mark.parametrize("prefix", ["ALTCRAFT_", "STAGE_", ""])
def test_a_variable_sets_its_setting(name, text, value, prefix):
    """What stands in the environment is what the client is made with, and the rest is default."""
    beside = {"RATE_PER_S": "50"} if name == "BURST" else {}
    made = ClientSettings(**arguments(prefix=prefix, **{name: text}, **beside))
    plain = ClientSettings(**arguments(prefix=prefix, **beside))
    found = made
    for part in VARIABLES[name][0].split("."):
        found = getattr(found, part)
    assert found == value
    changed = {a for a in ("retry", "timeouts", "limits") if getattr(made, a) != getattr(plain, a)}
    assert changed <= {VARIABLES[name][0].partition(".")[0]}


def test_no_variable_is_forgotten():
    """Every variable stands in the table above, and every plain setting has one."""
    assert {name for name, *_ in READ} == set(VARIABLES)
    settings = {a.name for a in ClientSettings.__attrs_attrs__ if a.init}
    no_text = {"token", "log_key", "currency", "ssl_context", "headers"}
    assert {argument.partition(".")[0] for argument, _ in VARIABLES.values()} == settings - no_text


@pytest.mark.parametrize(
    "name", [*VARIABLES, "POINTS_CURRENCY_EID", "POINTS_CURRENCY_IID", "TOKEN_FILE"]
)
def test_an_empty_variable_is_unset(name):
    """A variable that a deployment leaves empty changes nothing."""
    variables = {"BASE_URL": ""} if name == "BASE_URL" else {name: ""}
    found = arguments(
        overrides={"base_url": "https://x", "token": None or Secret("t")}, **variables
    )
    assert found.keys() == {"base_url", "token", "currency"}
    assert found["currency"] is None


@pytest.mark.parametrize(
    ("variables", "currency"),
    [
        ({}, None),
        ({"POINTS_CURRENCY_EID": "stars"}, CurrencyEid("stars")),
        ({"POINTS_CURRENCY_IID": "7"}, CurrencyIid(7)),
        ({"POINTS_CURRENCY_IID": "7", "POINTS_CURRENCY_EID": ""}, CurrencyIid(7)),
    ],
)
def test_a_currency_has_one_of_two_ids(variables, currency):
    """External or internal."""
    assert arguments(**variables)["currency"] == currency


WORDS = [("true", True), ("YES", True), (" on ", True), ("0", False), ("No", False), ("off", False)]


@pytest.mark.parametrize(("text", "truth"), [*WORDS, ("false", False), ("1", True)])
def test_yes_and_no_have_their_usual_words(text, truth):
    """In any case."""
    assert arguments(TRUST_ENV=text)["trust_env"] is truth


BAD = [
    ({"LOYALTY_PROGRAM_ID": "abc"}, "^ALTCRAFT_LOYALTY_PROGRAM_ID='abc' cannot be read: "),
    ({"LOYALTY_PROGRAM_ID": "1.5"}, "^ALTCRAFT_LOYALTY_PROGRAM_ID='1.5' cannot be read: "),
    ({"MAX_BODY_BYTES": "64K"}, "^ALTCRAFT_MAX_BODY_BYTES='64K' cannot be read: "),
    ({"DEADLINE_S": "soon"}, "^ALTCRAFT_DEADLINE_S='soon' cannot be read: "),
    ({"DEADLINE_S": "nan"}, "^ALTCRAFT_DEADLINE_S must be a number greater than 0"),
    ({"TRUST_ENV": "maybe"}, "^ALTCRAFT_TRUST_ENV='maybe' cannot be read: yes or no is expected"),
    ({"NOT_A_MEMBER": "404;440"}, "^ALTCRAFT_NOT_A_MEMBER='404;440' cannot be read: "),
    ({"RATE_PER_S": "fast"}, "^ALTCRAFT_RATE_PER_S='fast' cannot be read: a number is expected"),
    ({"RATE_PER_S": "50/s"}, "^ALTCRAFT_RATE_PER_S='50/s' cannot be read: a number is expected"),
    ({"RATE_PER_S": "20,5"}, "^ALTCRAFT_RATE_PER_S='20,5' cannot be read: a number is expected"),
    ({"RATE_PER_S": "6:00,20"}, "^ALTCRAFT_RATE_PER_S='6:00,20' cannot be read: a timetable must"),
    (
        {"RATE_PER_S": "6:00,2 7:00,3", "TIME_ZONE": "Mars"},
        "^ALTCRAFT_TIME_ZONE must be a name such as Europe/Moscow, not 'Mars'$",
    ),
    (
        {"RATE_PER_S": "6:00,2 7:00,3", "RATE_STORE": "redis://h"},
        "^ALTCRAFT_RATE_STORE needs one number as ALTCRAFT_RATE_PER_S, no timetable$",
    ),
    (
        {"RATE_PER_S": "6:00,2 7:00,3", "RATE_WORKERS": "4"},
        "^ALTCRAFT_RATE_WORKERS needs one number as ALTCRAFT_RATE_PER_S, no timetable$",
    ),
    ({"RATE_PER_S": "0"}, "^ALTCRAFT_RATE_PER_S must be a number greater than 0"),
    ({"RATE_PER_S": "inf"}, "^ALTCRAFT_RATE_PER_S must be a number greater than 0"),
    ({"BURST": "many"}, "^ALTCRAFT_BURST='many' cannot be read: a number is expected"),
    ({"BURST": "0.5"}, "^ALTCRAFT_BURST must be a number at least 1"),
    ({"ADAPTIVE": "maybe"}, "^ALTCRAFT_ADAPTIVE='maybe' cannot be read: yes or no is expected"),
    ({"SINGLE_FLIGHT": "2"}, "^ALTCRAFT_SINGLE_FLIGHT='2' cannot be read: yes or no is expected"),
    ({"MAX_ATTEMPTS": "0"}, "^ALTCRAFT_MAX_ATTEMPTS must be a whole number of at least 1"),
    ({"POINTS_CURRENCY_IID": "stars"}, "^ALTCRAFT_POINTS_CURRENCY_IID='stars' cannot be read: "),
    ({"POINTS_CURRENCY_IID": "0"}, "^the currency's internal id must be 1 or greater"),
    ({"POINTS_CURRENCY_EID": " stars"}, "^the currency's external id has blanks"),
    (
        {"POINTS_CURRENCY_IID": "1", "POINTS_CURRENCY_EID": "stars"},
        "^set ALTCRAFT_POINTS_CURRENCY_EID or ALTCRAFT_POINTS_CURRENCY_IID, but not both",
    ),
    ({"TOKEN_FILE": "/run/t"}, "^set ALTCRAFT_TOKEN or ALTCRAFT_TOKEN_FILE, but not both"),
    ({"TOKEN": ""}, r"^not set: ALTCRAFT_TOKEN or ALTCRAFT_TOKEN_FILE; set it"),
    ({"BASE_URL": ""}, "^not set: ALTCRAFT_BASE_URL; set it in the environment"),
    ({"BASE_URL": "", "TOKEN": ""}, "^not set: ALTCRAFT_BASE_URL, ALTCRAFT_TOKEN"),
    ({"BURST": "5"}, "^ALTCRAFT_BURST needs ALTCRAFT_RATE_PER_S, the rate after"),
    ({"RATE_STORE": "redis://c"}, "^ALTCRAFT_RATE_STORE needs ALTCRAFT_RATE_PER_S, the rate to"),
    ({"RATE_WORKERS": "4"}, "^ALTCRAFT_RATE_WORKERS needs ALTCRAFT_RATE_PER_S, the rate to share"),
    ({"RATE_NAME": "n"}, "^ALTCRAFT_RATE_NAME needs ALTCRAFT_RATE_PER_S, the rate to share"),
    (
        {"RATE_NAME": "n", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_NAME needs ALTCRAFT_RATE_STORE, where it is",
    ),
    (
        {"RATE_NAME": "n", "RATE_PER_S": "5", "RATE_WORKERS": "4"},
        "^ALTCRAFT_RATE_NAME needs ALTCRAFT_RATE_STORE, where it is",
    ),
    (
        {"RATE_WORKERS": "few", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_WORKERS='few' cannot be read: a whole number is expected",
    ),
    (
        {"RATE_WORKERS": "0", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_WORKERS must be a whole number from 1",
    ),
    (
        {"RATE_WORKERS": "3", "RATE_PER_S": "nan"},
        "^ALTCRAFT_RATE_PER_S must be a number greater than 0",
    ),
    (
        {"RATE_STORE": "redis://h", "RATE_NAME": "a b", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_NAME must be 1 to 40 characters",
    ),
    (
        {"RATE_STORE": "postgres://u:canary@db:port/x", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_STORE has a port that is not a number",
    ),
    (
        {"RATE_STORE": "postgres://u:canary@db1:5432,db2:port/x", "RATE_PER_S": "5"},
        "^ALTCRAFT_RATE_STORE has a port that is not a number",
    ),
    ({"TOKEN": "canary canary"}, "^the token has blanks"),
]


@pytest.mark.parametrize(("variables", "sentence"), BAD, ids=[str(v) for v, _ in BAD])
def test_a_variable_that_cannot_be_read_is_one_sentence(variables, sentence):
    """It names the variable; neither it nor any frame shows the token or the proxy's password."""
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        arguments(PROXY="http://u:canary@proxy", **variables)
    error = caught.value
    assert error.__context__ is None
    frames = error.__traceback__
    while frames.tb_frame.f_code.co_name != "from_environment":
        frames = frames.tb_next
    whole = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    assert "canary" not in "".join(whole.format())


def test_a_store_in_the_real_environment_is_looked_at(monkeypatch):
    """By reference too: a URL that can never be right does not wait for the client to open."""
    for name, text in {**NEEDED, "RATE_STORE": "redis://h/abc", "RATE_PER_S": "5"}.items():
        monkeypatch.setenv(f"XALT_{name}", text)
    with pytest.raises(ConfigurationError, match=r"^XALT_RATE_STORE has a path"):
        from_environment(os.environ, "XALT_", {})
    monkeypatch.setenv("XALT_RATE_STORE", "redis://:p canary@h")
    with pytest.raises(ConfigurationError, match=r"XALT_RATE_STORE.*: it has blanks") as caught:
        from_environment(os.environ, "XALT_", {})
    assert "canary" not in str(caught.value)


def test_a_number_of_workers_alone_splits_the_rate():
    """Without a store each process keeps to its part; with a burst, to its part of that too."""
    limits = arguments(RATE_PER_S="200", RATE_WORKERS="20", BURST="40")["limits"]
    assert limits.rate_per_s == SharedRate.split(200, workers=20)
    assert (limits.rate_per_s.share_per_s, limits.burst) == (10, 40)


@pytest.mark.parametrize("further", [{}, {"RATE_NAME": "nightly"}, {"RATE_WORKERS": "4"}])
def test_a_store_shares_the_rate(further):
    """By its URL; name and number of workers need not be said."""
    rate = arguments(RATE_PER_S="200", RATE_STORE="redis://cache/0", **further)["limits"].rate_per_s
    assert (rate.kind, rate.per_s) == ("redis", 200)
    assert rate.name == further.get("RATE_NAME", "altcraft-balance")
    assert rate.workers == int(further.get("RATE_WORKERS", "10"))


@pytest.mark.parametrize(
    "overrides",
    [
        {"token": "mine"},
        {"base_url": "https://other"},
        {"currency": CurrencyEid("mine")},
        {"currency": None},
        {"format": "xml"},
    ],
)
def test_an_argument_goes_before_the_environment(overrides):
    """What is given in code is not read from the environment."""
    found = arguments(overrides=overrides, POINTS_CURRENCY_EID="stars", FORMAT="json")
    assert overrides.items() <= found.items()


def test_a_given_currency_makes_both_variables_harmless():
    """A conflict that does not matter is none."""
    found = arguments(
        overrides={"currency": None, "token": Secret("t")},
        POINTS_CURRENCY_EID="stars",
        POINTS_CURRENCY_IID="1",
        TOKEN_FILE="/run/t",
    )
    assert found["currency"] is None


@pytest.mark.parametrize(
    ("overrides", "variables"),
    [
        ({"limits": Limits(concurrency=3)}, {"RATE_STORE": "redis://h"}),
        ({"limits": Limits(concurrency=3)}, {"CONCURRENCY": "many", "BURST": "5"}),
        ({"retry": RetryPolicy()}, {"MAX_ATTEMPTS": "0", "RETRY_BASE_S": "soon"}),
        ({"timeouts": Timeouts()}, {"DEADLINE_S": "soon"}),
        ({"trust_env": False}, {"TRUST_ENV": "maybe"}),
        ({"token": "mine"}, {"TOKEN_FILE": "/run/t"}),
    ],
)
def test_what_is_overridden_is_not_read(overrides, variables):
    """A variable that does not matter cannot be wrong."""
    assert overrides.items() <= arguments(overrides=overrides, **variables).items()


def test_a_token_file_is_kept_by_reference():
    """The file is read when the token is needed, and again when it changes."""
    token = arguments(TOKEN="", TOKEN_FILE="/run/token")["token"]
    assert token.path == "/run/token"


def test_a_token_from_the_real_environment_is_kept_by_reference(monkeypatch):
    """So the settings pickle, and a worker reads its own variable."""
    for name, text in NEEDED.items():
        monkeypatch.setenv(f"XALT_{name}", text)
    assert (
        repr(from_environment(os.environ, "XALT_", {})["token"]) == "Secret.from_env('XALT_TOKEN')"
    )
    token = from_environment(dict(os.environ), "XALT_", {})["token"]
    assert repr(token) == "Secret(***)"
    assert token.reveal() == "canary"


def test_a_timetables_zone_has_a_variable_of_its_own():
    """Without it the times are the machine's; a rate that is a number has no use for it."""
    table = arguments(RATE_PER_S="06:00,20 22:00,200", TIME_ZONE="Europe/Moscow")["limits"]
    assert table.rate_per_s == RateTimetable.read("06:00,20 22:00,200", "Europe/Moscow")
    assert arguments(RATE_PER_S="50", TIME_ZONE="Europe/Moscow")["limits"].rate_per_s == 50
