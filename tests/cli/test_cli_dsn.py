"""Where a database is: a password is taken from a variable alone, and shown nowhere."""

import logging

import pytest

from tests.cli.refreshing import one_sentence

pytest.importorskip("sqlalchemy")
pytest.importorskip("asyncpg")
pytest.importorskip("aiosqlite")

QUERY = ("--from-sql", "select 1 as email")
ENV = "where every process can read it: put the URL into a variable, and name that with "
#: URLs with passwords, wherever they stand, right or wrong.
PASSWORDS = [
    "postgresql://app:canary@db/main",
    "postgresql+asyncpg://app:canary@db/main",
    "postgresql://:canary@db/main",
    "postgresql://db/main?user=app&password=canary",
    "postgresql://db/main?sslpassword=canary",
    "mysql://app:canary@db/main",
    "app:canary@db/main",
    "postgresql://app:se@canary@db/main",
    "postgresql://app:canary@[::1/main",
    "postgresql://app:can/canary@db/main",
]


@pytest.mark.parametrize("url", PASSWORDS)
def test_a_typed_password_is_refused(command, server, url, caplog):
    """Of the source, of the sink and of `status`, with the option that takes it."""
    caplog.set_level(logging.DEBUG)
    for option, arguments in {
        "--from-dsn": ("refresh", *QUERY, "--out", "o.csv", "--from-dsn", url),
        "--to-dsn": ("refresh", "m.csv", "--to-sql", "b", "--to-dsn", url),
        "--dsn": ("status", "--dsn", url),
    }.items():
        said = one_sentence(command(*arguments))
        assert said.endswith(f"{ENV}{option}-env")
        assert "canary" not in said
    assert "canary" not in caplog.text


def test_a_password_in_the_options_own_variable_is_none_typed(command, server, tmp_path):
    """Each option has a variable, which no other process reads."""
    url = "postgresql://app:canary@127.0.0.1:1/main"
    name = "ALTCRAFT_BALANCE_REFRESH_FROM_DSN"
    ended = command(
        "refresh",
        *QUERY,
        "--by",
        "email",
        "--out",
        str(tmp_path / "o"),
        "--output-format",
        "csv",
        **{name: url},
    )
    said = one_sentence(ended, 75)
    assert said.startswith("postgresql://app@127.0.0.1:1/main cannot be reached: ")


@pytest.mark.parametrize("value", ["", "not a url", "canary", "nosuch://app:canary@db/main"])
def test_what_is_wrong_with_a_variable_is_said(command, server, value):
    """With its name or the option's, and nothing of what it holds."""
    ended = command("refresh", *QUERY, "--from-dsn-env", "MY_DSN", "--out", "o.csv", MY_DSN=value)
    said = one_sentence(ended)
    assert "canary" not in said
    assert "MY_DSN" in said or "--from-dsn-env" in said or "nosuch" in said


def test_a_url_in_the_place_of_a_variables_name_is_not_shown(command, server):
    """It may hold the password."""
    url = "postgresql://app:canary@db/main"
    said = one_sentence(command("refresh", *QUERY, "--from-dsn-env", url, "--out", "o.csv"))
    assert said.startswith("--from-dsn-env must be the name of a variable that holds the URL")
    assert "canary" not in said


def test_a_user_alone_may_be_typed(command, server, tmp_path):
    """It is no password, whatever the driver."""
    url = "postgresql+asyncpg://app@127.0.0.1:1/main"
    out = str(tmp_path / "o.csv")
    ended = command("refresh", *QUERY, "--by", "email", "--out", out, "--from-dsn", url)
    assert "cannot be reached" in one_sentence(ended, 75)


def test_what_is_typed_goes_before_a_variable(command, server, tmp_path, monkeypatch):
    """As everywhere; both typed are a contradiction."""
    monkeypatch.chdir(tmp_path)
    typed = ("refresh", *QUERY, "--out", "o.csv", "--from-dsn", "sqlite:///nowhere.db")
    ended = command(*typed, "--by", "email", ALTCRAFT_BALANCE_REFRESH_FROM_DSN_ENV="NOTHING")
    assert one_sentence(ended) == "there is no database sqlite:///nowhere.db"
    ended = command(*typed, "--from-dsn-env", "NOTHING")
    assert one_sentence(ended) == "give --from-dsn or --from-dsn-env, but not both"
