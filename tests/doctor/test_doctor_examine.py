"""The doctor names the right cause of each broken set-up, and what to do."""

import datetime as dt
import socket
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from altcraft_balance.doctor.examine import AFTER_SETTINGS
from altcraft_balance.doctor.network import _tls
from altcraft_balance.doctor.versions import MINIMUMS, check_versions
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import ByEmail, CurrencyEid
from altcraft_balance.sandbox import Sandbox
from altcraft_balance.secret import Secret
from tests.hostile.behaviours import BALANCE, answers, plain_text, redirects, silent
from tests.hostile.replies import reply
from tests.hostile.server import RawServer, turns


def failed(findings):
    """The one check that failed."""
    [finding] = [one for one in findings.values() if one.state == "failed"]
    return finding.check, finding.says, finding.advice


async def test_a_set_up_that_is_in_order(findings_of):
    """Nothing to do; one lookup was sent."""
    async with Sandbox() as sandbox:
        findings = await findings_of(sandbox.url)
        assert sandbox.requests == 1
    states = {check: finding.state for check, finding in findings.items()}
    assert states == {
        "versions": "ok",
        "settings": "ok",
        "dns": "ok",
        "tcp": "ok",
        "tls": "skipped",
        "endpoint": "ok",
        "token": "ok",
        "points": "ok",
        "clock": "skipped",
    }


async def test_a_name_that_is_unknown(findings_of):
    """The host is misspelt."""
    check, says, advice = failed(await findings_of("https://altcraft.invalid"))
    assert (check, "altcraft.invalid is not known" in says) == ("dns", True)
    assert "with a k" in advice


async def test_a_port_where_nobody_listens(findings_of):
    """The server is down, or a firewall stands between."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        findings = await findings_of(f"http://127.0.0.1:{taken.getsockname()[1]}")
    check, says, advice = failed(findings)
    assert (check, "Connection refused" in says) == ("tcp", True)
    assert "firewall" in advice
    assert findings["token"].state == "skipped"


@pytest.mark.parametrize(
    ("case", "word"),
    [("stranger", "--ca-file"), ("expired", "run out"), ("other host", "another host's")],
)
async def test_a_certificate_that_is_not_right(findings_of, authority, stranger, case, word):
    """Whose it is, how long it was good, and for which host."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    context = {
        "stranger": lambda: stranger.serving(),
        "expired": lambda: authority.serving(not_before=now - 9 * day, not_after=now - day),
        "other host": lambda: authority.serving("other.test"),
    }[case]()
    async with RawServer(answers(), context=context) as server:
        check, _, advice = failed(await findings_of(server.url, ca_file=authority.file))
    assert (check, word in advice) == ("tls", True)


async def test_a_certificate_that_soon_runs_out(findings_of, authority):
    """It works still, and somebody should know."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=3, hours=1)
    async with RawServer(context=authority.serving(not_after=soon)) as server:
        findings = await findings_of(server.url, ca_file=authority.file)
    tls = findings["tls"]
    assert (tls.state, "good for 3 days more" in tls.says) == ("warning", True)
    assert tls.says.startswith("TLSv1.")
    assert "renewed" in tls.advice


async def test_plain_http_behind_an_https_url(findings_of):
    """The port is another's."""
    async with RawServer(plain_text) as server:
        check, _, advice = failed(await findings_of(f"https://{server.host}"))
    assert (check, "plain http" in advice) == ("tls", True)


@pytest.mark.parametrize(
    ("sandbox", "client", "check", "says", "advice"),
    [
        ({}, {"token": "another"}, "token", "wrong token", "--auth header"),
        ({}, {"loyalty_program_id": 9}, "points", "unknown loyalty program", "--program"),
        ({}, {"currency": CurrencyEid("none")}, "points", "unknown points", "--currency-eid"),
        ({"faults": "html=1"}, {}, "endpoint", "HTML", "something else answers there"),
        ({"faults": "status503=1"}, {}, "endpoint", "503", "it asks for 1 s"),
        ({"faults": "status429=1"}, {}, "endpoint", "429", "--rate"),
        ({"faults": "status500=1"}, {}, "endpoint", "500", "in trouble"),
        ({"faults": "reset=1"}, {}, "endpoint", "connection", "in trouble"),
        ({"latency_s": 60}, {}, "endpoint", "within 1 s", "--attempt-timeout"),
    ],
    ids=lambda value: "-" if isinstance(value, dict) else value,
)
async def test_a_server_that_answers_otherwise(findings_of, sandbox, client, check, says, advice):
    """Each cause by its own check, with what to do."""
    async with Sandbox(**sandbox) as server:
        found, said, advised = failed(await findings_of(server.url, **client))
    assert found == check
    assert says in said
    assert advice in advised


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_that_may_be_a_gateways(findings_of, status):
    """It is not taken for the envelope, nor for the token's alone."""
    bare = b"HTTP/1.1 %d No\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno" % status
    async with RawServer(answers(bare)) as server:
        findings = await findings_of(server.url)
    assert failed(findings)[0] == "token"
    assert findings["endpoint"].state == "warning"
    assert "not the documented envelope" in findings["endpoint"].says
    assert "this machine's address" in findings["endpoint"].advice


async def test_a_token_that_is_missed_with_400_is_the_tokens(findings_of):
    """And nobody looks for his program."""
    body = b'{"error":400,"error_text":"token required"}'
    async with RawServer(answers(reply(body))) as server:
        check, _, advice = failed(await findings_of(server.url))
    assert (check, "--auth header" in advice) == ("token", True)


async def test_tls_behind_an_http_url(findings_of, authority):
    """It is told what to write, and not of a gateway in trouble."""
    async with RawServer(answers(), context=authority.serving()) as server:
        check, _, advice = failed(await findings_of(f"http://{server.host}"))
    assert (check, "write https://" in advice) == ("endpoint", True)


async def test_a_token_that_is_not_to_be_had(findings_of, tmp_path):
    """The settings' trouble: nothing is asked, and all that waits for it is skipped."""
    findings = await findings_of("https://altcraft.invalid", token=Secret.from_file(tmp_path))
    check, says, _ = failed(findings)
    assert (check, "the token file" in says) == ("settings", True)
    assert {findings[name].state for name in AFTER_SETTINGS} == {"skipped"}


async def test_authorities_that_are_not_there(findings_of, authority, tmp_path):
    """A setting's trouble, and not the server's."""
    async with RawServer(answers(), context=authority.serving()) as server:
        findings = await findings_of(server.url, ca_file=tmp_path / "none.pem")
    assert failed(findings)[0] == "tls"
    assert isinstance(findings["tls"].error, ConfigurationError)


async def test_plain_http_that_leaves_this_machine(settings_of):
    """Whoever is on the way reads the token."""
    settings = settings_of("http://192.0.2.1", allow_http=True)
    tls = await _tls(urlsplit(settings.url), 1.0, settings)
    assert (tls.state, "https" in tls.advice) == ("warning", True)


async def test_a_path_that_is_wrong(findings_of):
    """No such method there."""
    async with RawServer(answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as server:
        check, says, advice = failed(await findings_of(server.url))
    assert (check, "404" in says, "path prefix" in advice) == ("endpoint", True, True)


async def test_a_server_that_sends_elsewhere(findings_of):
    """A redirect is never followed."""
    async with RawServer(redirects(301, b"https://other.example/")) as server:
        check, _, advice = failed(await findings_of(server.url))
    assert (check, "elsewhere" in advice) == ("endpoint", True)


async def test_a_reply_that_comes_in_pieces_is_read_to_its_end(findings_of):
    """And not taken for another service's."""
    whole = reply(BALANCE)

    async def script(peer):
        while await peer.request() is not None:
            for at in range(0, len(whole), 20):
                await peer.send_all(whole[at : at + 20])
                await turns()

    async with RawServer(script) as server:
        findings = await findings_of(server.url)
    assert findings["points"].state == "ok"


async def test_a_server_that_says_nothing(findings_of):
    """It accepts, and no more."""
    async with RawServer(silent) as server:
        check, says, _ = failed(await findings_of(server.url))
    assert (check, "within 1 s" in says) == ("endpoint", True)


async def test_a_member_who_is_unknown_is_no_trouble(findings_of):
    """The code is shown, with the setting that gives it its meaning."""
    member = ByEmail("user@example.com")
    async with Sandbox() as sandbox:
        sandbox.remove(member)
        findings = await findings_of(sandbox.url, member)
        known = await findings_of(sandbox.url, member, not_a_member=404)
    points = findings["points"]
    assert (points.state, "--not-a-member 404" in points.advice) == ("warning", True)
    assert known["points"].state == "ok"
    assert "user@" not in repr([*findings.values(), *known.values()])


@pytest.mark.parametrize(("off_s", "state"), [(0, "ok"), (7200, "warning"), (-7200, "warning")])
async def test_a_clock_that_is_off(findings_of, off_s, state):
    """By the reply's Date."""
    member = ByEmail("user@example.com")
    date = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=off_s)
    body = b'{"error":0,"error_text":"","data":{"total_balance":"1","active_balance":"1"}}'
    async with Sandbox() as sandbox:
        headers = {"Date": format_datetime(date, usegmt=True)}
        sandbox.answer(member, body=body, headers=headers)
        clock = (await findings_of(sandbox.url, member))["clock"]
    assert clock.state == state
    if off_s:
        assert f"{'behind' if off_s > 0 else 'ahead of'} the server's" in clock.says


async def test_through_a_proxy_that_is_away(findings_of):
    """It is the proxy that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{taken.getsockname()[1]}"
        findings = await findings_of("https://altcraft.example", proxy=proxy)
    check, says, _ = failed(findings)
    assert (check, "the proxy" in says) == ("tcp", True)


async def test_through_the_environments_proxy(findings_of, monkeypatch):
    """Where it is asked for: the name is the proxy's business, as it is for a lookup."""
    monkeypatch.setenv("no_proxy", "")
    async with RawServer(answers(reply(BALANCE))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        told = {"trust_env": True, "allow_http": True}
        findings = await findings_of("http://altcraft.invalid", **told)
        without = await findings_of("http://altcraft.invalid", allow_http=True)
    assert (findings["dns"].state, findings["points"].state) == ("skipped", "ok")
    assert without["dns"].state == "failed"


async def test_a_token_that_cannot_travel(findings_of):
    """It is found before anything is asked."""
    findings = await findings_of("https://altcraft.invalid", token="токен", auth="header")
    assert failed(findings)[0] == "settings"


def test_old_versions_are_named():
    """With the command that mends it."""
    old = {**MINIMUMS, "aiohttp": "3.9.1"}
    finding = check_versions(lambda name: old.get(name, "9999"))
    assert (finding.state, "'aiohttp>=3.14.5'" in finding.advice) == ("failed", True)
    assert check_versions(lambda name: MINIMUMS.get(name, "9999")).state == "ok"


def test_what_an_extra_brings_is_looked_at_where_it_is_installed():
    """By what the package itself asks for."""
    have = {**MINIMUMS, "pyarrow": "3.0"}

    def version_of(name):
        if name not in have:
            raise metadata.PackageNotFoundError(name)
        return have[name]

    finding = check_versions(version_of)
    assert "'pyarrow>=" in finding.advice
    assert ("OpenSSL" in finding.says, "uvloop" in finding.says) == (True, False)


def test_the_minimums_are_the_packages_own():
    """Those that installing asks for."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert all(f'"{name}>={least}"' in text for name, least in MINIMUMS.items())
