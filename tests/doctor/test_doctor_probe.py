"""A probe settles what is documented nowhere, and its settings make a client work."""

import asyncio
import json
from collections import Counter

import pytest

from altcraft_balance.client import BalanceClient
from altcraft_balance.doctor.asking import asking, encoder_of
from altcraft_balance.doctor.examine import NOBODY
from altcraft_balance.doctor.keep_alive import idle_time
from altcraft_balance.doctor.keeping import Samples
from altcraft_balance.doctor.probe import MOST_LOOKUPS, Probe
from altcraft_balance.errors import AltcraftBalanceError, ConfigurationError, NotAMember
from altcraft_balance.models import BalanceQuery, ByEmail, ByPhone, CurrencyEid
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.sandbox.manners import CASES
from altcraft_balance.settings import Limits
from tests.hostile.behaviours import answers
from tests.hostile.server import RawServer

MEMBER = ByEmail("user@example.com")
STARS = CurrencyEid("stars")


def envelope(code, text):
    return json.dumps({"error": code, "error_text": text}).encode()


def sample(folder, case, status, body, raises="ApiError"):
    place = folder / case
    place.mkdir(parents=True)
    expected = {"raises": raises} if raises else {"total_balance": "1", "active_balance": "1"}
    (place / "expected.json").write_text(json.dumps({str(status): expected}))
    (place / "body.bin").write_bytes(body)
    (place / "headers.json").write_text('{"content-type": "application/json", "server": "own"}')


def in_the_header(folder):
    """The token is taken from the header alone; unknown members are 440 with HTTP 200."""
    sample(folder, "body-token", 200, envelope(401, "Token required"))
    sample(folder, "unknown-member", 200, envelope(440, "No profile"))


def speaking_json(folder):
    """XML is answered in JSON; unknown members are 404 with HTTP 404."""
    sample(folder, "xml", 200, b'{"error":0}', raises="")
    sample(folder, "unknown-member", 404, envelope(404, "Not found"))
    sample(folder, "unknown-program", 404, envelope(412, "No program"))


def wanting_a_currency(folder):
    """Without a currency nothing is answered; what is wrong is always 400."""
    sample(folder, "no-currency", 400, envelope(400, "Currency required"))
    sample(folder, "header-token", 401, envelope(401, "Token required"))
    sample(folder, "unknown-member", 400, envelope(400, "Incorrect request"))


SERVERS = [in_the_header, speaking_json, wanting_a_currency]


async def probed(settings, matching=MEMBER, **further):
    """What was asked and found, and how often was asked."""
    async with asking(settings) as asker:
        facts = [
            fact
            async for fact in Probe(asker, matching, wait_s=0.2, pause_s=0.15, **further).facts()
        ]
        return (
            {fact.question: fact.answer for fact in facts},
            [line for fact in facts for line in fact.settings],
            asker.asked,
        )


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.__name__)
@pytest.mark.parametrize("matching", [MEMBER, ByPhone("+79001234567"), None], ids=str)
async def test_its_settings_make_a_client_work(
    settings_of, monkeypatch, tmp_path, server, matching
):
    """Whatever the server wants; with at most 15 lookups."""
    server(tmp_path)
    async with Sandbox(samples=tmp_path) as sandbox:
        settings = settings_of(sandbox.url, currency=STARS)
        _, found, asked = await probed(settings, matching)
        assert asked == sandbox.requests <= MOST_LOOKUPS
        for line in found:
            name, _, value = line.partition("=")
            if value != "...":
                monkeypatch.setenv(name, value)
        told = {"base_url": sandbox.url, "token": "sandbox-token"}
        client = BalanceClient.from_env(**told, loyalty_program_id=123, currency=STARS)
        async with client:
            assert (await client.get_balance(MEMBER)).total_balance >= 0
            with pytest.raises(AltcraftBalanceError) as caught:
                await client.get_balance(ByEmail("nobody@example.invalid"))
        assert isinstance(caught.value, NotAMember) is (server is not wanting_a_currency)


async def test_what_is_found_is_said(settings_of, tmp_path):
    """Question by question."""
    in_the_header(tmp_path)
    async with Sandbox(samples=tmp_path) as sandbox:
        facts, found, _ = await probed(settings_of(sandbox.url, currency=STARS))
    took = facts.pop("how long a reply takes")
    assert took.startswith(tuple("0123456789"))
    assert took.endswith("ms as a rule")
    assert facts == {
        "where the token goes": "accepted in the header",
        "a request in XML": "answered in XML",
        "a member who does not exist": "error 440 with HTTP 200",
        "a program that does not exist": "error 400 with HTTP 200",
        "a currency that does not exist": "error 400 with HTTP 200",
        "a request without a currency": "answered with the same balance",
        "e-mail in capitals": "has another balance",
        "gzip, when asked for": "sent as it is",
        "a Request-ID that is known": "is answered anew",
        "an idle connection stays open for": "more than 0.2 s",
    }
    assert found == ["ALTCRAFT_AUTH=header", "ALTCRAFT_NOT_A_MEMBER=440"]


async def test_nothing_is_made_of_an_unknown_members_refusals(settings_of):
    """No setting for a healthy server that just does not know who was asked about."""
    async with Sandbox() as sandbox:
        sandbox.remove(NOBODY)
        told = settings_of(sandbox.url, currency=CurrencyEid("stars"), limits=Limits(rate_per_s=99))
        facts, found, _ = await probed(told, NOBODY)
    for question in ("a request without a currency", "a Request-ID that is known"):
        assert facts[question].startswith("not settled: error 404")
    assert found == ["ALTCRAFT_NOT_A_MEMBER=404", "ALTCRAFT_CONCURRENCY=64"]


@pytest.mark.parametrize("status", [401, 403])
async def test_nothing_is_made_of_a_gateways_refusals(settings_of, status):
    """Neither facts nor settings."""
    bare = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    async with RawServer(answers(bare)) as server:
        facts, found, _ = await probed(settings_of(server.url, currency=CurrencyEid("x")))
    assert facts["a request in XML"] == "not settled: no request was accepted"
    assert found == []


async def test_a_token_that_cannot_travel_in_a_header(settings_of):
    """It is said, and the probe goes on with the body's."""
    async with Sandbox(token="sandbox-токен") as sandbox:
        facts, found, _ = await probed(settings_of(sandbox.url, token="sandbox-токен"))
    said = facts["where the token goes"]
    assert said.startswith("accepted in the body; in the header: ")
    assert "токен" not in said
    assert facts["a request in XML"].startswith("answered in XML")
    assert found == []


@pytest.mark.parametrize("of_nobody", [False, True])
async def test_a_refusal_of_xml_is_played_again(settings_of, tmp_path, of_nobody):
    """Unless it is what is said of an unknown member, who was asked about."""
    refusal = envelope(440, "No profile") if of_nobody else envelope(400, "JSON is wanted")
    sample(tmp_path, "unknown-member", 200, envelope(440, "No profile"))
    sample(tmp_path, "xml", 200, refusal, raises="BadRequest")
    async with Sandbox(samples=tmp_path) as sandbox:
        facts, _, _ = await probed(settings_of(sandbox.url), MEMBER)
    said = facts["a request in XML"]
    assert said.startswith("answered in" if of_nobody else "answered in JSON, with error 400")


async def test_slots_are_named_for_a_rate_that_is_wanted(settings_of):
    """Never fewer than a client has anyway."""
    async with Sandbox(latency_s=0.01) as sandbox:
        facts, found, _ = await probed(settings_of(sandbox.url, limits=Limits(rate_per_s=200)))
    assert "200 requests/s need no more than 64 slots" in facts["how long a reply takes"]
    assert found[-1] == "ALTCRAFT_CONCURRENCY=64"


async def test_a_code_that_means_more_than_one_thing_is_not_offered(settings_of, tmp_path):
    """A slip in the program would make everybody no member."""
    sample(tmp_path, "unknown-member", 404, envelope(404, "Not found"))
    sample(tmp_path, "unknown-program", 404, envelope(404, "Not found"))
    async with Sandbox(samples=tmp_path) as sandbox:
        facts, found, _ = await probed(settings_of(sandbox.url))
    assert "as for a program that does not exist" in facts["a member who does not exist"]
    assert found == []


async def test_what_passes_settles_nothing(settings_of, tmp_path):
    """A server in trouble is asked again, and then said to be; nothing of it is kept or set."""
    sample(tmp_path / "server", "unknown-member", 200, envelope(500, "Oops"))
    kept = tmp_path / "kept"
    async with Sandbox(samples=tmp_path / "server") as sandbox:
        keep = (await asyncio.to_thread(Samples, kept)).keep
        facts, found, asked = await probed(settings_of(sandbox.url), keep=keep)
    assert facts["a member who does not exist"].startswith("not settled: error 500")
    assert found == []
    assert asked <= MOST_LOOKUPS
    assert not (kept / "unknown-member").exists()


async def test_a_server_that_throttles_is_waited_for(settings_of):
    """Its refusals are no facts."""
    async with Sandbox(rate_per_s=10, burst=1, retry_after_s=0) as sandbox:
        facts, found, asked = await probed(settings_of(sandbox.url))
    assert asked <= MOST_LOOKUPS
    assert "429" not in str({key: one for key, one in facts.items() if "settled" not in one})
    assert found == []


async def test_a_token_that_is_missed_by_400_is_found(settings_of, tmp_path):
    """Whatever code says so."""
    sample(tmp_path, "body-token", 200, envelope(400, "Token required"))
    async with Sandbox(samples=tmp_path) as sandbox:
        facts, found, _ = await probed(settings_of(sandbox.url))
    assert facts["where the token goes"] == "accepted in the header"
    assert found[0] == "ALTCRAFT_AUTH=header"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Keep-Alive: timeout=7, max=100\r\n", "7 s, as its Keep-Alive header says"),
        ("Connection: close\r\n", "none: it closes after each reply"),
    ],
)
async def test_how_long_an_idle_connection_stays(settings_of, lines, said):
    """By what the server says, where it does."""

    async def script(peer):
        while await peer.request() is not None:
            await peer.send_all(f"HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())

    async with RawServer(script) as server:
        settings = settings_of(server.url)
        wire = (await encoder_of(settings)).encode(BalanceQuery(MEMBER))
        assert await idle_time(settings, wire, wait_s=5) == said


async def test_a_reply_in_chunks_closes_nothing(settings_of):
    """Its end is known, so the connection is waited for, and not taken for closed."""
    chunks = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    )

    async def script(peer):
        while await peer.request() is not None:
            await peer.send_all(chunks)

    async with RawServer(script) as server:
        settings = settings_of(server.url)
        wire = (await encoder_of(settings)).encode(BalanceQuery(MEMBER))
        assert await idle_time(settings, wire, wait_s=0.05) == "more than 0.05 s"


async def test_an_idle_connection_that_ends_is_timed(settings_of):
    """Where the server says nothing."""
    async with Sandbox(faults="idle_close=1") as sandbox:
        settings = settings_of(sandbox.url)
        wire = (await encoder_of(settings)).encode(BalanceQuery(MEMBER))
        assert await idle_time(settings, wire, wait_s=5) == "0.0 s"


async def test_a_token_that_nobody_takes(settings_of):
    """It is said, and nothing is made of what follows."""
    async with Sandbox() as sandbox:
        facts, _, _ = await probed(settings_of(sandbox.url, token="another"))
    assert facts["where the token goes"] == "it is refused in the body and in the header: check it"


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.__name__)
async def test_what_is_kept_makes_a_sandbox_like_it(settings_of, tmp_path, server):
    """Probed again, that sandbox is found to be the same."""
    server(tmp_path / "server")
    kept = tmp_path / "kept"
    async with Sandbox(samples=tmp_path / "server") as sandbox:
        settings = settings_of(sandbox.url, currency=STARS)
        first, _, _ = await probed(settings, keep=(await asyncio.to_thread(Samples, kept)).keep)
    async with Sandbox(samples=kept) as sandbox:
        second, _, _ = await probed(settings_of(sandbox.url, currency=STARS))
    for facts in (first, second):
        del facts["how long a reply takes"]
    assert first == second
    assert {path.name for path in kept.iterdir()} <= set(CASES)


async def test_what_is_kept_names_nobody(settings_of, tmp_path):
    """No token, no address, no amount."""
    async with Sandbox() as sandbox:
        sandbox.set_balance(MEMBER, total_balance="98765.43", active_balance="234.5")
        settings = settings_of(sandbox.url, currency=STARS)
        await probed(settings, keep=(await asyncio.to_thread(Samples, tmp_path / "kept")).keep)
    kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    text = b"".join(path.read_bytes() for path in kept)
    for secret in (b"sandbox-token", b"user@", b"98765", b"234.5"):
        assert secret not in text
    assert b"11111.11" in text
    assert Counter(path.stat().st_mode & 0o777 for path in kept) == {0o600: len(kept)}


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    """So that no two probes are mixed."""
    (tmp_path / "something").touch()
    with pytest.raises(ConfigurationError, match="name a new folder"):
        Samples(tmp_path)


@pytest.mark.parametrize("what", ["nothing", "no status", "no body"])
async def test_samples_that_are_none_are_refused(tmp_path, what):
    """With the folder's name."""
    if what != "nothing":
        sample(tmp_path, "xml", 200, b"{}")
        if what == "no status":
            (tmp_path / "xml" / "expected.json").write_text("[]")
        else:
            (tmp_path / "xml" / "body.bin").unlink()
    with pytest.raises(ConfigurationError, match="samples: "):
        await Sandbox(samples=tmp_path).start()
