"""`--proxy` goes through a real proxy, whose password is not for the command line."""

import pytest

from tests.cli.refreshing import assert_right, one_sentence, rows_of, write_members
from tests.servers import TinyProxy, running

pytestmark = pytest.mark.server

GET = ("get", "--email", "user@example.com", "--json")
PLAIN = tuple(word for word in GET if word != "--json")


class Closed(TinyProxy):
    def __init__(self):
        super().__init__("me:canary-password")


@pytest.fixture(scope="module")
def proxy():
    yield from running(TinyProxy)


@pytest.fixture(scope="module")
def closed_proxy():
    yield from running(Closed)


def test_a_lookup_goes_through_it(command, server, proxy):
    """By the option and by its variable."""
    before = proxy.said().count("POST http://")
    for how in ({}, {"ALTCRAFT_PROXY": proxy.url}):
        ended = command(*GET, *(() if how else ("--proxy", proxy.url)), **how)
        assert (ended.code, ended.err) == (0, "")
    assert proxy.said().count("POST http://") - before == 2
    assert "sandbox-token" not in proxy.said()


def test_a_file_goes_through_it(command, server, proxy, tmp_path, monkeypatch):
    """Every row has its member's balance."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "members.csv", 50)
    ended = command(
        "refresh", "members.csv", "--by", "email", "--out", "out.csv", "--proxy", proxy.url
    )
    assert ended.code == 0, ended.err
    assert_right(rows_of(tmp_path / "out.csv"), server, 50)


def test_with_credentials_it_is_the_variable(command, server, closed_proxy):
    """A command line is read by every process."""
    assert command(*GET, ALTCRAFT_PROXY=closed_proxy.url).code == 0
    sentence = one_sentence(command(*PLAIN, "--proxy", closed_proxy.url))
    assert sentence.endswith("set ALTCRAFT_PROXY")
    assert "canary" not in sentence


@pytest.mark.parametrize("userinfo", ["", "me:canary-wrong@"])
def test_without_the_right_ones_it_is_said_at_once(
    command, server, closed_proxy, tmp_path, monkeypatch, userinfo
):
    """One sentence with the status and no password; a run ends before a row was written."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "members.csv", 50)
    url = f"http://{userinfo}{closed_proxy.host}"
    status = "401" if userinfo else "407"
    for arguments in (
        ("get", "--email", "user@example.com"),
        ("refresh", "members.csv", "--by", "email", "--out", "out.csv"),
    ):
        ended = command(*arguments, ALTCRAFT_PROXY=url)
        assert ended.code not in {0, 70}, ended.err
        (said,) = [line for line in ended.err.splitlines() if line.startswith("Error: ")]
        assert f"HTTP {status}" in said
        assert "canary" not in ended.err + ended.out
    assert server.requests == 0


def test_one_that_is_away_is_named(command, server, tmp_path, monkeypatch):
    """A run says so before it begins."""
    monkeypatch.chdir(tmp_path)
    write_members(tmp_path / "members.csv", 5)
    ended = command(
        "refresh", "members.csv", "--by", "email", "--out", "out.csv",
        "--proxy", "http://127.0.0.1:1",
    )  # fmt: skip
    assert "no connection to the proxy" in ended.err
    assert ended.code not in {0, 70}
    assert not (tmp_path / "out.csv").exists()


def test_the_fast_lane_has_none(command, server):
    """One sentence, by the names of the options."""
    sentence = one_sentence(
        command(*PLAIN, "--transport", "direct", "--proxy", "http://127.0.0.1:1")
    )
    assert sentence.startswith("--proxy does not work with 'direct'")
