"""A member's reference: the same for the same member, of no use without the key."""

import re

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import ByCustomField, ByEmail, ByPhone, ByProfileId, RawMatching
from altcraft_balance.secret import Secret
from altcraft_balance.telemetry.events import LookupStarted
from altcraft_balance.telemetry.member_ref import key_of, member_ref
from tests.session.fakes import URL, member, opened

KEY = key_of("a-log-key")
MEMBERS = [
    ByEmail("42@example.com"),
    ByPhone("42"),
    ByProfileId("42"),
    ByCustomField("card", 42),
    ByCustomField("card", "42"),
    ByCustomField("cards", "42"),
    RawMatching({"matching": "push_sub", "id": "42"}),
    RawMatching({"matching": "push_sub", "id": 42}),
]


def test_each_member_has_one_of_his_own():
    """Kinds and types tell apart what looks the same."""
    refs = [member_ref(one, KEY) for one in MEMBERS]
    assert len(set(refs)) == len(MEMBERS)
    assert refs == [member_ref(one, KEY) for one in MEMBERS]
    assert all(re.fullmatch("[0-9a-f]{8}", ref) for ref in refs)


def test_another_key_gives_another():
    """So that nobody makes the address from it by trying all."""
    ours, theirs = (member_ref(MEMBERS[0], key_of(key)) for key in ("a-log-key", "b-log-key"))
    assert ours != theirs


def test_a_key_may_be_long():
    """BLAKE2 itself takes 64 bytes at most."""
    assert member_ref(MEMBERS[0], key_of("k" * 1000)) != member_ref(MEMBERS[0], key_of("k" * 999))


@pytest.mark.parametrize("of", ["text", "variable", "file", "environment", "nothing"])
async def test_the_client_gives_it_where_it_has_a_key(wire, monkeypatch, tmp_path, of):
    """From wherever a secret may come; without one there is none."""
    monkeypatch.setenv("ALTCRAFT_LOG_KEY", "a-log-key")
    (tmp_path / "key").write_text("a-log-key\n")
    log_key = {
        "text": "a-log-key",
        "variable": Secret.from_env("ALTCRAFT_LOG_KEY"),
        "file": Secret.from_file(tmp_path / "key"),
        "nothing": None,
    }.get(of)
    if of == "environment":
        environment = BalanceClient.from_env(base_url=URL, token="t")
        log_key = environment.settings.log_key
    events = []
    async with opened(wire, log_key=log_key, on_event=events.append) as client:
        await client.get_balance(member(0))
    [started] = [event for event in events if isinstance(event, LookupStarted)]
    expected = None if of == "nothing" else member_ref(member(0), KEY)
    assert started.member_ref == expected


@pytest.mark.parametrize(
    ("key", "said"),
    [("", "log_key is empty or not set"), ("a b", "log_key has blanks"), (3, "log_key must be")],
)
def test_a_bad_key_is_refused(key, said):
    """When the client is made, and not shown."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        BalanceClient(URL, token="t", log_key=key)
    assert "a b" not in str(caught.value)
