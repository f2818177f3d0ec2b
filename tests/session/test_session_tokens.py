"""Rotation of the token: by file, by callable, by environment; a token by value never changes."""

import asyncio
import os
import traceback

import pytest

from altcraft_balance.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineExceeded,
    HttpStatusError,
    InvalidQuery,
    NotAMember,
)
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.session.tokens import Tokens
from altcraft_balance.settings import ClientSettings
from tests.session.fakes import (
    TOKEN,
    Wire,
    api,
    assert_idle,
    http,
    make_client,
    make_settings,
    member,
    members,
    now,
    ok,
    opened,
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Readings:
    """A token source that counts how often it is asked, and takes its time."""

    def __init__(self, *tokens):
        self.tokens, self.asked, self.takes_s = list(tokens), 0, 0.01

    async def __call__(self):
        token = self.tokens[min(self.asked, len(self.tokens) - 1)]
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if isinstance(token, BaseException):
            raise token
        return token


class Rotating(Wire):
    """A platform that takes one token and answers 401 to all others."""

    def __init__(self, takes, refusal=None):
        super().__init__()
        self.takes, refusal = takes, refusal or api(401, "token required")
        self.answer = lambda sent: ok() if sent.token == self.takes else refusal


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("old-token\n")
    return path


async def tokens_of(source, clock=None, reloaded=lambda: None):
    settings = ClientSettings(**make_settings(Wire(), token=source))
    tokens = Tokens(settings, clock=clock or Clock(), reloaded=reloaded)
    await tokens.open()
    return tokens


async def in_force(tokens):
    return str((await tokens.encoder()).token)


# ── files ────────────────────────────────────────────────────────────────────────────────────


async def test_a_changed_file_is_noticed_within_a_second(token_file):
    """And not looked at more often than once a second."""
    clock, reloads = Clock(), []
    tokens = await tokens_of(Secret.from_file(token_file), clock, lambda: reloads.append(1))
    assert await in_force(tokens) == "old-token"
    token_file.write_text("the-new-token")
    clock.now += 0.99
    assert await in_force(tokens) == "old-token"
    clock.now += 0.01
    assert await in_force(tokens) == "the-new-token"
    assert reloads == [1]


async def test_a_file_that_did_not_change_is_not_read(token_file, monkeypatch):
    """A look at its numbers is enough."""
    clock = Clock()
    tokens = await tokens_of(secret := Secret.from_file(token_file), clock)
    monkeypatch.setattr(type(secret), "reveal", lambda _: pytest.fail("it was read"))
    for _ in range(5):
        clock.now += 1
        assert await in_force(tokens) == "old-token"


async def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(token_file):
    """As `mv` and a coarse clock make them."""
    clock = Clock()
    tokens = await tokens_of(Secret.from_file(token_file), clock)
    times = token_file.stat()
    other = token_file.with_name("other")
    other.write_text("new-token\n")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(token_file)
    await in_force(tokens)
    clock.now += 1
    assert await in_force(tokens) == "new-token"


@pytest.mark.parametrize("broken", [None, "", "two words", b"\xff\xfe"], ids=str)
async def test_the_old_token_stays_while_the_file_is_missing_or_broken(token_file, broken):
    """It may be in the middle of its replacement; the new one is taken when it is there."""
    clock = Clock()
    tokens = await tokens_of(Secret.from_file(token_file), clock)
    if broken is None:
        token_file.unlink()
    elif isinstance(broken, bytes):
        token_file.write_bytes(broken)
    else:
        token_file.write_text(broken)
    for _ in range(3):
        clock.now += 1
        assert await in_force(tokens) == "old-token"
    token_file.write_text("the-new-token")
    clock.now += 1
    assert await in_force(tokens) == "the-new-token"


async def test_a_file_that_could_not_be_read_is_tried_again(token_file, monkeypatch):
    """Also when only its mode was wrong, which leaves its numbers as they are."""
    clock = Clock()
    tokens = await tokens_of(secret := Secret.from_file(token_file), clock)
    token_file.write_text("the-new-token")

    def refuse(_):
        raise ConfigurationError("no permission")

    with monkeypatch.context() as patch:
        patch.setattr(type(secret), "reveal", refuse)
        assert await in_force(tokens) == "old-token"
    clock.now += 1
    assert await in_force(tokens) == "the-new-token"


async def test_a_look_that_was_cancelled_is_made_again(token_file, monkeypatch):
    """The lookup that looks may be cancelled; the next one finds the change."""
    clock = Clock()
    tokens = await tokens_of(Secret.from_file(token_file), clock)
    await in_force(tokens)
    token_file.write_text("the-new-token")
    clock.now += 1
    await tokens._lock.acquire()
    looking = asyncio.create_task(tokens.encoder())
    await asyncio.sleep(0.01)
    looking.cancel()
    tokens._lock.release()
    with pytest.raises(asyncio.CancelledError):
        await looking
    clock.now += 1
    assert await in_force(tokens) == "the-new-token"


async def test_a_client_takes_over_a_changed_file(token_file):
    """No restart, no failed lookup."""
    clock = Clock()
    wire = Rotating("old-token")
    async with opened(wire, token=Secret.from_file(token_file)) as client:
        client._session.tokens._clock = clock
        await client.get_balance(member(0))
        token_file.write_text("the-new-token")
        wire.takes = "the-new-token"
        clock.now += 1
        await client.get_balance(member(0))
    assert [sent.token for sent in wire.sent] == ["old-token", "the-new-token"]


# ── after a 401 ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("refusal", [api(401), api(401, status=401), http(401)], ids=str)
async def test_a_401_reads_the_file_again_and_repeats(token_file, refusal):
    """Even before the file is due for a look; the 401 costs a request and no attempt."""
    wire = Rotating("the-new-token", refusal)
    async with opened(wire, token=Secret.from_file(token_file)) as client:
        client._session.tokens._clock = Clock()
        await client._session.tokens.encoder()
        token_file.write_text("the-new-token")
        [outcome] = await client.get_balances([member(0)])
    assert (outcome.balance.total_balance, outcome.attempts, outcome.requests) == (1000, 1, 2)
    assert now() == pytest.approx(0, abs=0.01)


async def test_a_lookup_asks_for_another_token_once():
    """A second 401 is final, whatever the source would give next."""
    source = Readings("one-token", "two-token", "three-token")
    async with opened(wire := Rotating("none-of-them"), token=source) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.get_balance(member(0))
    assert (source.asked, len(wire.sent), caught.value.attempts) == (2, 2, 1)


@pytest.mark.parametrize("token", [TOKEN, Secret(TOKEN)], ids=["str", "Secret"])
async def test_a_401_for_a_token_by_value_is_final(token):
    """One request: there is nothing else to try."""
    async with opened(wire := Rotating("another"), token=token) as client:
        with pytest.raises(AuthenticationError):
            await client.get_balance(member(0))
    assert len(wire.sent) == 1


async def test_fifty_401s_at_once_cause_one_reading():
    """And every one of the lookups goes on with the token that it gave."""
    source = Readings("old-token", "the-new-token")
    async with opened(wire := Rotating("the-new-token"), token=source, concurrency=50) as client:
        wire.hold()
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(50)]
        await asyncio.sleep(0.1)
        wire.release()
        await asyncio.gather(*calls)
    assert source.asked == 2
    assert len(wire.sent) == 100


async def test_fifty_401s_at_once_cause_one_reading_also_when_it_brings_nothing_new():
    """A token that was revoked is no reason to storm the one who gives it."""
    source = Readings("old-token")
    async with opened(wire := Rotating("another"), token=source, concurrency=50) as client:
        wire.hold()
        calls = [asyncio.create_task(client.get_balance(member(n))) for n in range(50)]
        await asyncio.sleep(0.1)
        wire.release()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(end) for end in ends} == {AuthenticationError}
    assert (source.asked, len(wire.sent)) == (2, 50)


async def test_a_401_that_comes_late_finds_the_new_token_there():
    """Its request went out with the old one; nobody is asked again for that."""
    source = Readings("old-token", "the-new-token", "a-third-token")
    tokens = await tokens_of(source)
    for _ in range(3):
        assert await tokens.renewed(HiddenStr("old-token")) is True
    assert (source.asked, await in_force(tokens)) == (2, "the-new-token")


async def test_a_reading_that_was_cancelled_is_none():
    """Who waited for it asks again."""
    source = Readings("old-token", "lost-token", "the-new-token")
    source.takes_s = 1
    tokens = await tokens_of(source)
    refused = HiddenStr("old-token")
    first = asyncio.create_task(tokens.renewed(refused))
    second = asyncio.create_task(tokens.renewed(refused))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await second is True
    assert await in_force(tokens) == "the-new-token"


async def test_a_batch_survives_a_rotation():
    """All items are found, and none is lost to the 401s in between."""
    source = Readings("old-token", "the-new-token")
    wire = Rotating("old-token")
    async with (
        opened(wire, token=source) as client,
        client.stream_balances(members(200)) as outcomes,
    ):
        kinds = []
        async for outcome in outcomes:
            kinds.append(type(outcome).__name__)
            if len(kinds) == 50:
                wire.takes = "the-new-token"
    assert kinds == ["Found"] * 200
    assert source.asked == 2


async def test_the_reading_of_a_token_ends_with_the_deadline():
    """The error says what the time went to."""
    source = Readings("old-token", "the-new-token")
    async with opened(wire := Rotating("the-new-token"), token=source) as client:
        source.takes_s = 60
        with pytest.raises(DeadlineExceeded) as caught:
            await client.get_balance(member(0), deadline_s=2)
    error = caught.value
    assert (error.phase, error.last_error.kind, len(wire.sent)) == ("token", "authentication", 1)
    assert error.maybe_sent
    assert error.elapsed_s == pytest.approx(2)


async def test_a_source_that_fails_later_keeps_the_token_in_force():
    """The 401 is what comes out then."""
    source = Readings("old-token", RuntimeError("no vault"))
    async with opened(Rotating("another"), token=source) as client:
        with pytest.raises(AuthenticationError):
            await client.get_balance(member(0))
        assert_idle(client)


async def test_our_own_error_from_a_source_comes_out_as_it_is():
    """A callable may refuse in the package's own words."""
    source = Readings("old-token", InvalidQuery("not for you"))
    async with opened(Rotating("another"), token=source) as client:
        with pytest.raises(InvalidQuery, match="not for you"):
            await client.get_balance(member(0))
        assert_idle(client)


async def test_a_member_who_is_unknown_is_no_reason_for_another_token():
    """Even when this server says it with 401."""
    source = Readings("old-token", "the-new-token")
    async with opened(Rotating("another"), token=source, not_a_member={401}) as client:
        with pytest.raises(NotAMember):
            await client.get_balance(member(0))
    assert source.asked == 1


async def test_a_bare_401_without_another_token_is_final():
    """It is an HTTP error then, with one request."""
    async with opened(wire := Rotating("another", http(401))) as client:
        with pytest.raises(HttpStatusError):
            await client.get_balance(member(0))
    assert len(wire.sent) == 1


# ── environment and callables ────────────────────────────────────────────────────────────────


async def test_a_variable_is_read_again_after_a_401(monkeypatch):
    """As a supervisor in the same process may change it."""
    monkeypatch.setenv("BALANCE_TOKEN", "old-token")
    wire = Rotating("the-new-token")
    async with opened(wire, token=Secret.from_env("BALANCE_TOKEN")) as client:
        monkeypatch.setenv("BALANCE_TOKEN", "the-new-token")
        await client.get_balance(member(0))
    assert [sent.token for sent in wire.sent] == ["old-token", "the-new-token"]


async def test_a_callable_is_asked_once_at_the_start(wire):
    """And not for every lookup."""
    source = Readings("one-token")
    async with opened(wire, token=source) as client:
        await client.get_balances(members(5))
    assert source.asked == 1
    assert {sent.token for sent in wire.sent} == {"one-token"}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Readings(RuntimeError(f"could not log in with {TOKEN}")), "callable raised RuntimeError"),
        (Readings(None), "must be text .* not NoneType"),
        (Readings(TOKEN.encode()), "must be text .* not bytes"),
        (Readings(""), "is empty"),
        (Readings(f"{TOKEN} {TOKEN}"), "blanks"),
        (lambda: TOKEN, "callable raised TypeError"),
    ],
)
async def test_a_callable_that_gives_no_token_fails_the_opening(wire, source, sentence):
    """With a sentence that shows nothing of what it gave or raised."""
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        await make_client(wire, token=source).open()
    shown = traceback.TracebackException.from_exception(caught.value)
    assert TOKEN not in "".join(shown.format())
    assert caught.value.__context__ is None


async def test_a_cancel_goes_through_a_callable(wire):
    """It is no failure of the token."""
    source = Readings("one-token")
    source.takes_s = 60
    opening = asyncio.create_task(make_client(wire, token=source).open())
    await asyncio.sleep(1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
