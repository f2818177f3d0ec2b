"""Bad input gets one clear sentence and the right exit code."""

import socket

import pytest

from altcraft_balance.models import ByEmail

EMAIL = ("get", "--email", "user@example.com")
ONCE = ("--max-attempts", "1")
RATE = ("--rate", "50")
QUERY = ("refresh", "--by", "email", "--from-sql", "select 'a@b' as email, 1 as id")
LITE = ("--from-dsn", "sqlite://")
TABLE = ("--to-sql", "balances", "--to-dsn", "sqlite:////nowhere/b.db")
FILE = ("refresh", "/nowhere.csv", "--by", "email")

#: Arguments, further variables, exit code, words of the sentence.
WRONG = {
    "no member": (("get",), {}, 2, "exactly one of --email"),
    "two members": ((*EMAIL, "--phone", "+7999"), {}, 2, "exactly one of --email"),
    "empty e-mail": (("get", "--email", ""), {}, 2, "email is empty"),
    "not an e-mail": (("get", "--email", "nobody"), {}, 2, "'@'"),
    "custom without =": (("get", "--custom", "card"), {}, 2, "NAME=VALUE"),
    "custom integer without =": (("get", "--custom-int", "card"), {}, 2, "NAME=NUMBER"),
    "custom integer of letters": (("get", "--custom-int", "card=x"), {}, 2, "whole number"),
    "custom integer too long": (("get", "--custom-int", f"a={10**19 - 1}"), {}, 2, "64 bits"),
    "no base URL": (EMAIL, {"ALTCRAFT_BASE_URL": ""}, 2, "--base-url"),
    "no token": (EMAIL, {"ALTCRAFT_TOKEN": ""}, 2, "ALTCRAFT_TOKEN"),
    "no program": (EMAIL, {"ALTCRAFT_LOYALTY_PROGRAM_ID": ""}, 2, "--program"),
    "program 0": ((*EMAIL, "--program", "0"), {}, 2, "--program must be 1"),
    "base URL without scheme": ((*EMAIL, "--base-url", "ru.altkraft.com"), {}, 2, "--base-url"),
    "base URL with a bad port": ((*EMAIL, "--base-url", "https://a:x"), {}, 2, "--base-url"),
    "plain http": ((*EMAIL, "--base-url", "http://example.com"), {}, 2, "--allow-http"),
    "both currencies": (
        (*EMAIL, "--currency-eid", "a", "--currency-iid", "1"),
        {},
        2,
        "--currency-eid or --currency-iid",
    ),
    "both currencies in the environment": (
        EMAIL,
        {"ALTCRAFT_POINTS_CURRENCY_EID": "a", "ALTCRAFT_POINTS_CURRENCY_IID": "1"},
        2,
        "not both",
    ),
    "both tokens in the environment": (
        EMAIL,
        {"ALTCRAFT_TOKEN_FILE": "/nowhere"},
        2,
        "ALTCRAFT_TOKEN or ALTCRAFT_TOKEN_FILE",
    ),
    "no token file": ((*EMAIL, "--token-file", "/nowhere"), {}, 2, "No such file"),
    "empty token file": ((*EMAIL, "--token-file", "/dev/null"), {}, 2, "empty"),
    "no authorities": (
        (*EMAIL, "--base-url", "https://127.0.0.1:9", "--ca-file", "/nowhere"),
        {},
        2,
        "/nowhere",
    ),
    "proxy password": ((*EMAIL, "--proxy", "http://a:b@c:1"), {}, 2, "ALTCRAFT_PROXY"),
    "store password": (
        (*EMAIL, *RATE, "--rate-store", "redis://:canary@cache"),
        {},
        2,
        "set ALTCRAFT_RATE_STORE",
    ),
    "store name that may be a password": (
        (*EMAIL, *RATE, "--rate-store", "redis://canary@cache"),
        {},
        2,
        "set ALTCRAFT_RATE_STORE",
    ),
    "store password of a user": (
        (*EMAIL, *RATE, "--rate-store", "postgresql://app:canary@db/main"),
        {},
        2,
        "set ALTCRAFT_RATE_STORE",
    ),
    "store password in the query": (
        (*EMAIL, *RATE, "--rate-store", "postgresql://db/main?user=app&password=canary"),
        {},
        2,
        "set ALTCRAFT_RATE_STORE",
    ),
    "store password in the query of Redis": (
        (*EMAIL, *RATE, "--rate-store", "redis://cache/0?password=canary"),
        {},
        2,
        "set ALTCRAFT_RATE_STORE",
    ),
    "store port in letters": (
        (*EMAIL, *RATE),
        {"ALTCRAFT_RATE_STORE": "postgresql://app:canary@db:port/main"},
        2,
        "ALTCRAFT_RATE_STORE has a port",
    ),
    "store without a rate": ((*EMAIL, "--rate-store", "redis://cache"), {}, 2, "--rate"),
    "workers without a rate": ((*EMAIL, "--rate-workers", "4"), {}, 2, "--rate"),
    "rate name without a store": (
        (*EMAIL, *RATE, "--rate-name", "nightly"),
        {},
        2,
        "--rate-name needs --rate-store",
    ),
    "burst without a rate": (EMAIL, {"ALTCRAFT_BURST": "5"}, 2, "ALTCRAFT_BURST needs --rate"),
    "unknown format": ((*EMAIL, "--format", "yaml"), {}, 2, "json, xml"),
    "unknown auth": ((*EMAIL, "--auth", "cookie"), {}, 2, "body, header, both"),
    "no attempts": ((*EMAIL, "--max-attempts", "0"), {}, 2, "--max-attempts"),
    "attempts in letters": ((*EMAIL, "--max-attempts", "x"), {}, 2, "--max-attempts"),
    "codes in letters": ((*EMAIL, "--not-a-member", "x"), {}, 2, "--not-a-member"),
    "no time": ((*EMAIL, "--deadline", "0"), {}, 2, "--deadline"),
    "time in letters": ((*EMAIL, "--deadline", "soon"), {}, 2, "--deadline"),
    "a token on the command line": ((*EMAIL, "--token", "t"), {}, 2, "--token"),
    "unknown option": ((*EMAIL, "--frobnicate"), {}, 2, "--frobnicate"),
    "unknown command": (("frobnicate",), {}, 2, "frobnicate"),
    "misspelt variable value": (EMAIL, {"ALTCRAFT_ALLOW_HTTP": "maybe"}, 2, "--allow-http"),
    "unknown fault": (("sandbox", "--faults", "gremlins=1"), {}, 2, "gremlins"),
    "fault without rate": (("sandbox", "--faults", "reset"), {}, 2, "name=rate"),
    "too many faults": (("sandbox", "--faults", "reset=0.6,stray=0.6"), {}, 2, "add up"),
    "port too great": (("sandbox", "--port", "70000"), {}, 2, "port"),
    "no latency": (("sandbox", "--latency", "-1"), {}, 2, "--latency"),
    "unknown status": (("sandbox", "--error-status", "x"), {}, 2, "--error-status"),
    "sandbox token file": (("sandbox", "--token-file", "/nowhere"), {}, 2, "No such file"),
    "demo's unknown fault": (("demo", "--faults", "gremlins=1"), {}, 2, "gremlins"),
    "nobody": (("demo", "--members", "0"), {}, 2, "--members"),
    "no input": (("refresh", "--out", "o.csv"), {}, 2, "INPUT must name the file to read; or give"),
    "two inputs": ((*QUERY, *LITE, "m.csv", "--out", "o.csv"), {}, 2, "INPUT or --from-sql, but"),
    "an empty query": (
        ("refresh", "--from-sql", " ; ", *LITE, "--out", "o.csv"),
        {},
        2,
        "--from-sql is empty",
    ),
    "no output": ((*QUERY, *LITE), {}, 2, "--out must say where the balances go: a file, or -; or"),
    "no source's database": ((*QUERY, "--out", "o.csv"), {}, 2, "--from-sql needs its database"),
    "no sink's database": ((*FILE, "--to-sql", "b"), {}, 2, "--to-sql needs its database"),
    "a database without a query": ((*FILE, *LITE, "--out", "o.csv"), {}, 2, "--from-dsn is for"),
    "a database without a table": (
        (*FILE, "--to-dsn", "sqlite:///b.db", "--out", "o.csv"),
        {},
        2,
        "--to-dsn is for --to-sql",
    ),
    "a key without a table": ((*FILE, "--key", "id", "--out", "o.csv"), {}, 2, "--key is for --to"),
    "patience without a table": (
        (*FILE, "--sink-patience", "1m", "--out", "o.csv"),
        {},
        2,
        "--sink-patience is for --to-sql",
    ),
    "patience in letters": (
        (*FILE, *TABLE, "--sink-patience", "soon"),
        {},
        2,
        "--sink-patience must be a duration such",
    ),
    "patience without a unit": ((*FILE, *TABLE, "--sink-patience", "10"), {}, 2, "not '10'"),
    "no key": ((*FILE, *TABLE, "--no-member"), {}, 2, "--to-sql must know its rows by something"),
    "no such key": (
        (*QUERY, *LITE, *TABLE[:2], "--to-dsn", "sqlite:///b.db", "--key", "card"),
        {},
        2,
        "--key 'card' is not in the query on sqlite://",
    ),
    "a table's name": (
        (*FILE, "--to-sql", "a b", *TABLE[2:]),
        {},
        2,
        "--to-sql must be a name such as balances",
    ),
    "a table in memory": (
        (*FILE, "--to-sql", "b", "--to-dsn", "sqlite://"),
        {},
        2,
        "--to-sql needs a database that",
    ),
    "a table of a stranger": (
        (*FILE, "--to-sql", "b", "--to-dsn", "nosuch://db/main"),
        {},
        2,
        "no database is known by",
    ),
    "no database's URL": (
        (*FILE, "--to-sql", "b", "--to-dsn", "db"),
        {},
        2,
        "--to-dsn is not a da",
    ),
    "an empty URL": ((*FILE, "--to-sql", "b", "--to-dsn", ""), {}, 2, "--to-dsn is empty"),
    "changes without a past": (
        (*FILE, "--out", "o.csv", "--changes-to", "c.csv"),
        {},
        2,
        "give --previous, or --to-sql",
    ),
    "a past without changes": (
        (*FILE, "--out", "o.csv", "--previous", "p.csv"),
        {},
        2,
        "--previous is for --changes-to",
    ),
    "no such past": (
        (*QUERY, *LITE, "--out", "o.csv", "--changes-to", "c.csv", "--previous", "p.csv"),
        {},
        2,
        "p.csv cannot be read: no such file",
    ),
    "a past from a pipe": (
        (*FILE, "--out", "o.csv", "--changes-to", "c.csv", "--previous", "-"),
        {},
        2,
        "--previous must name a file on this machine",
    ),
    "changes to a pipe": (
        (*FILE, *TABLE, "--changes-to", "-"),
        {},
        2,
        "--changes-to must name a file",
    ),
    "changes are the output": (
        (*FILE, *TABLE, "--out", "o.csv", "--changes-to", "o.csv"),
        {},
        2,
        "--out and --changes-to",
    ),
    "a pipe beside a table": ((*FILE, *TABLE, "--out", "-"), {}, 2, "--out - does not go with"),
    "the format of no file": (
        (*FILE, *TABLE, "--output-format", "csv"),
        {},
        2,
        "--output-format is for --out, which",
    ),
    "the format of a query": (
        (*QUERY, *LITE, "--input-format", "csv", "--out", "o.csv"),
        {},
        2,
        "--input-format is for",
    ),
    "the delimiter of a query": (
        (*QUERY, *LITE, "--delimiter", ";", "--out", "o.csv"),
        {},
        2,
        "--delimiter is for CSV and",
    ),
    "no SQL": (
        ("refresh", "--by", "email", "--from-sql", "selekt 1", *LITE, "--out", "o.csv"),
        {},
        2,
        'near "selekt": syntax error',
    ),
    "no such table": (
        ("refresh", "--by", "email", "--from-sql", "select * from m", *LITE, "--out", "o.csv"),
        {},
        2,
        "no such table: m",
    ),
    "a query that writes": (
        ("refresh", "--by", "email", "--from-sql", "create table m (a)", *LITE, "--out", "o.csv"),
        {},
        2,
        "must be one that reads",
    ),
    "a folder and a database": (("status", "s", "--dsn", "sqlite:///b.db"), {}, 2, "but not both"),
    "the state of no database": (("status", "--dsn", "sqlite:///b.db"), {}, 2, "there is no datab"),
    "wrong token": (EMAIL, {"ALTCRAFT_TOKEN": "wrong"}, 77, "401"),
    "unknown host": (
        (*EMAIL, *ONCE, "--deadline", "5", "--base-url", "https://no-such-host.invalid"),
        {},
        69,
        "no-such-host.invalid",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_gets_one_sentence(command, server, tmp_path, monkeypatch, case):
    """One line on stderr, nothing on stdout, no traceback, the table's code."""
    monkeypatch.chdir(tmp_path)
    arguments, variables, code, words = WRONG[case]
    ended = command(*arguments, **variables)
    assert ended.code == code, ended.err
    assert words in ended.err
    _assert_one_sentence(ended)
    assert not list(tmp_path.rglob("*.csv*"))


def test_an_unknown_member_is_a_failure(command, server):
    """No code is documented for it, so without being told so `get` only knows that it failed."""
    server.remove(ByEmail("user@example.com"))
    ended = command(*EMAIL)
    assert ended.code == 3
    _assert_one_sentence(ended)


def test_an_unknown_member_is_named_when_the_code_is_known(command, server):
    """With --not-a-member the exit code says that the member is not in the program."""
    server.remove(ByEmail("user@example.com"))
    ended = command(*EMAIL, "--not-a-member", "404")
    assert ended.code == 4
    _assert_one_sentence(ended)


def test_a_closed_port_is_unreachable(command, server):
    """Nobody listens there: 69."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ended = command(*EMAIL, *ONCE, "--base-url", f"http://127.0.0.1:{port}")
    assert ended.code == 69
    _assert_one_sentence(ended)


def test_a_port_in_use_is_named(command):
    """The sandbox says which port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("sandbox", "--port", str(port))
    assert ended.code == 2
    assert f"port {port} on 127.0.0.1 is in use" in ended.err
    _assert_one_sentence(ended)


def test_a_store_with_a_bare_user_name_may_be_typed(command, server):
    """It is no password; and a store that is away stops nobody."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = f"postgresql://app@127.0.0.1:{port}/main"
    ended = command(*EMAIL, *RATE, "--rate-store", store, "--rate-workers", "4")
    assert ended.code == 0, ended.err
    assert "password" not in ended.err


def _assert_one_sentence(ended):
    assert ended.out == ""
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    assert "user@example.com" not in ended.err
    assert "canary" not in ended.err
