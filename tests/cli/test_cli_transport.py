"""``--transport`` carries the same requests another way, and makes no other run."""

import pytest

from tests.cli.refreshing import assert_right, rows_of, write_members

REFRESH = ("refresh", "members.csv", "--by", "email", "--out", "out.csv")


@pytest.fixture
def members(tmp_path, monkeypatch):
    """Twenty members in the folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return write_members(tmp_path / "members.csv", 20)


@pytest.fixture
def taken(monkeypatch):
    """The transports that clients were told to take."""
    from altcraft_balance import client

    names, maker_of = [], client._maker_of

    def noted(settings):
        names.append(settings.transport)
        return maker_of(settings)

    monkeypatch.setattr(client, "_maker_of", noted)
    return names


@pytest.mark.parametrize("name", ["aiohttp", "direct"])
def test_one_member_is_looked_up_either_way(command, server, taken, name):
    """The option reaches the client, and so does its variable."""
    typed = command("get", "--email", "user@example.com", "--json", "--transport", name)
    set_ = command("get", "--email", "user@example.com", "--json", ALTCRAFT_TRANSPORT=name)
    assert (typed.code, set_.code, taken) == (0, 0, [name, name]), typed.err + set_.err
    assert '"total_balance"' in typed.out


def test_what_is_typed_comes_before_the_variable(command, server, taken):
    """As with every other setting."""
    given = ("get", "--email", "user@example.com", "--transport", "aiohttp")
    assert command(*given, ALTCRAFT_TRANSPORT="direct").code == 0
    assert taken == ["aiohttp"]


def test_a_file_is_refreshed_by_the_fast_lane(command, server, members, tmp_path):
    """Every member gets a row with the right balance, in order."""
    ended = command(*REFRESH, "--transport", "direct")
    assert ended.code == 0, ended.err
    assert_right(rows_of(tmp_path / "out.csv"), server, 20)


def test_a_run_is_the_same_by_another_transport(command, server, members):
    """It is no fact of the output: a run that one began, the other goes on with."""
    assert command(*REFRESH).code == 0
    asked = server.requests
    ended = command(*REFRESH, "--transport", "direct")
    assert (ended.code, server.requests) == (0, asked), ended.err
    assert ended.out.startswith("Nothing was sent: the run ")


def test_a_dry_run_needs_no_fast_lane_to_be_there(command, server, members):
    """It says the same as without, and sends nothing."""
    plain, fast = (
        command(*REFRESH, "--dry-run", "--transport", name) for name in ("aiohttp", "direct")
    )
    assert (plain.code, plain.out) == (fast.code, fast.out)
    assert server.requests == 0
