"""Settings: a wrong one is one sentence, before anything is opened."""

import ssl
import traceback

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import CurrencyEid
from altcraft_balance.secret import Secret
from altcraft_balance.settings import (
    ClientSettings,
    Limits,
    RetryPolicy,
    Timeouts,
    endpoint_url,
)

CLOUD = "https://ru.altkraft.com"
PATH = "/api/v1.1/loyalty/account/balance"


def settings(**changed):
    return ClientSettings(**{"base_url": CLOUD, "token": "t0ken", **changed})


def test_the_defaults_are_the_documented_ones():
    """What README says of the settings is what they are."""
    assert RetryPolicy() == RetryPolicy(max_attempts=6, base_s=0.1, cap_s=20)
    assert Timeouts() == Timeouts(connect_s=3, attempt_s=10, deadline_s=30, item_deadline_s=None)
    assert Limits() == Limits(concurrency=64)
    given = settings()
    assert given.url == CLOUD + PATH
    assert (given.format, given.auth, given.transport) == ("json", "body", "aiohttp")
    assert given.fatal_codes == {401, 402, 403}
    assert given.not_a_member == frozenset()
    assert given.max_body_bytes == 65536
    assert (given.allow_http, given.trust_env, given.request_ids) == (False, False, False)


NUMBERS = [
    (RetryPolicy, "base_s", "at least 0"),
    (RetryPolicy, "cap_s", "at least 0"),
    (Timeouts, "connect_s", "greater than 0"),
    (Timeouts, "attempt_s", "greater than 0"),
    (Timeouts, "deadline_s", "greater than 0"),
    (Timeouts, "item_deadline_s", "greater than 0"),
]


@pytest.mark.parametrize(("cls", "name", "bound"), NUMBERS)
@pytest.mark.parametrize(
    "value", [-1, -0.001, float("nan"), float("inf"), 1e10, 10**400, True, "5", b"", [1]]
)
def test_a_number_of_seconds_has_bounds(cls, name, bound, value):
    """Not a number, not finite, out of range: the sentence says the range."""
    with pytest.raises(ConfigurationError) as caught:
        cls(**{name: value})
    assert str(caught.value) == f"{name} must be a number {bound}, up to a billion, not {value!r}"


@pytest.mark.parametrize(("cls", "name", "bound"), NUMBERS)
def test_the_edges_of_the_bounds(cls, name, bound):
    """Zero is a wait, but no time to work in; None is no limit where there may be none."""
    assert getattr(cls(**{name: 10**9}), name) == 10**9
    for value, fits in ((0, "at least" in bound), (None, "deadline" in name)):
        if fits:
            assert getattr(cls(**{name: value}), name) == value
        else:
            with pytest.raises(ConfigurationError):
                cls(**{name: value})


@pytest.mark.parametrize(
    ("make", "name", "low"),
    [
        (RetryPolicy, "max_attempts", 1),
        (Limits, "concurrency", 1),
        (settings, "max_body_bytes", 256),
    ],
)
def test_a_count_is_a_whole_number(make, name, low):
    """Neither a fraction nor a bool nor a text counts anything."""
    assert getattr(make(**{name: low}), name) == low
    for value in (low - 1, float(low), True, str(low), None):
        with pytest.raises(ConfigurationError) as caught:
            make(**{name: value})
        assert (
            str(caught.value) == f"{name} must be a whole number of at least {low}, not {value!r}"
        )


BAD = [
    ({"format": "yaml"}, "format must be one of json, xml, not 'yaml'"),
    ({"format": ["json"]}, r"format must be one of json, xml, not \['json'\]"),
    ({"auth": "url"}, "auth must be one of body, header, both, not 'url'"),
    ({"auth": None}, "auth must be one of body, header, both, not None"),
    ({"token": ""}, "the token is empty or not set"),
    ({"token": "t0ken\n"}, "the token has blanks or control characters"),
    ({"token": None}, r"the token must be text \(str\), not NoneType"),
    ({"token": b"t0ken"}, r"the token must be text \(str\), not bytes"),
    ({"loyalty_program_id": 0}, "loyalty_program_id must be 1 or greater"),
    ({"loyalty_program_id": "5"}, r"loyalty_program_id must be an integer \(int\), not str"),
    ({"currency": "stars"}, r"currency must be CurrencyIid\(...\) or CurrencyEid\(...\), not str"),
    *[
        ({"transport": name}, f"transport must be one of aiohttp, direct, not {name!r}")
        for name in ("httpx", "", "Direct")
    ],
    *[
        ({"transport": value}, "transport must be 'aiohttp' or 'direct', or an object that fits")
        for value in (None, 5, ["direct"], b"direct")
    ],
    (
        {"transport": "direct", "proxy": "http://proxy:3128"},
        r"proxy does not work with 'direct': leave it out, or take 'aiohttp' \(transport\)",
    ),
    ({"transport": "direct", "trust_env": True}, "trust_env does not work with 'direct'"),
    ({"retry": 3}, r"retry must be a RetryPolicy\(...\)"),
    ({"timeouts": 3.0}, r"timeouts must be a Timeouts\(...\)"),
    ({"limits": None}, r"limits must be a Limits\(...\)"),
    *[
        ({"not_a_member": v}, "error codes must be whole numbers")
        for v in ("404", 4.0, [True], None)
    ],
    *[({"fatal_codes": v}, "error codes must be whole numbers") for v in (["401"], True, 4.5)],
    ({"ssl_context": "ctx"}, "ssl_context must be an ssl.SSLContext"),
    ({"headers": [("X-A", "b")]}, "headers must be a mapping of names to values"),
    ({"headers": "X-A: b"}, "headers must be a mapping of names to values"),
    *[
        ({"headers": {name: "b"}}, "a header's name must be a token of RFC 9110")
        for name in ("", "X A", "X:A", "X-A\r\n", "Ж", 5)
    ],
    *[
        ({"headers": {"X-A": value}}, "the header X-A must be printable ASCII text in one line")
        for value in ("a\r\nX-B: c", "a\n", "a\x00", "Ж", "\x7f", 5, None, b"a")
    ],
    *[
        ({"headers": {name: "b"}}, f"headers may not set {name}: the client sets that one itself")
        for name in ("Authorization", "content-type", "HOST", "Cookie", "Content-Length", "Expect")
    ],
    ({"headers": {"Transfer-Encoding": "chunked"}}, "headers may not set Transfer-Encoding"),
    ({"user_agent": "a\r\nb"}, "user_agent must be printable ASCII text"),
    ({"user_agent": 5}, "user_agent must be printable ASCII text"),
    *[
        ({name: value}, f"{name} must be True or False, not {value!r}")
        for name in ("trust_env", "request_ids", "allow_http")
        for value in ("no", 0, None)
    ],
    ({"proxy": "proxy:3128"}, "proxy must look like http://"),
    ({"proxy": "socks5://p:1"}, "proxy must look like http://"),
    ({"proxy": 5}, "proxy must look like http://"),
]


@pytest.mark.parametrize(("changed", "sentence"), BAD, ids=[str(c)[:50] for c, _ in BAD])
def test_a_wrong_setting_is_one_sentence(changed, sentence):
    """It says which setting, what was wrong and what is accepted."""
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        settings(**changed)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_context_takes_the_place_of_files():
    """One of the two says what to trust, not both."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert settings(ssl_context=context).ssl_context is context
    for name in ("ca_file", "client_cert"):
        with pytest.raises(ConfigurationError, match="but not both"):
            settings(ssl_context=context, **{name: "file.pem"})


async def give_token():
    return "t0ken"


@pytest.mark.parametrize(
    "token", ["t0ken", Secret("t0ken"), Secret.from_env("NOT_SET"), give_token]
)
def test_a_token_is_text_a_secret_or_a_callable(token):
    """Text becomes a `Secret` at once; what is fetched later is not read now."""
    given = settings(token=token).token
    assert given is token or isinstance(given, Secret)


def test_settings_show_no_secret():
    """``repr`` has neither the token nor the headers nor the proxy's password."""
    shown = repr(
        settings(token="canary", headers={"X-Key": "canary"}, proxy="http://u:canary@proxy:3128")
    )
    assert "canary" not in shown
    assert "X-Key" not in shown


def test_settings_are_frozen():
    """What was checked stays as it was checked."""
    given = settings(not_a_member=404, headers={"X-Team": "a"}, currency=CurrencyEid("stars"))
    assert given.not_a_member == {404}
    assert given.headers == (("X-Team", "a"),)
    for name in ("base_url", "url", "further"):
        with pytest.raises(AttributeError):
            setattr(given, name, "x")


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (CLOUD, CLOUD + PATH),
        (f"{CLOUD}/", CLOUD + PATH),
        (f"{CLOUD}//", CLOUD + PATH),
        (f"{CLOUD}:8443", f"{CLOUD}:8443{PATH}"),
        ("https://panel.example.com/altcraft", f"https://panel.example.com/altcraft{PATH}"),
        ("https://panel.example.com/a/b/", f"https://panel.example.com/a/b{PATH}"),
        ("HTTPS://Panel.Example.com", f"https://Panel.Example.com{PATH}"),
        ("https://10.0.0.1", f"https://10.0.0.1{PATH}"),
        ("https://[2001:db8::1]:8443/x", f"https://[2001:db8::1]:8443/x{PATH}"),
        ("https://панель.рф", f"https://панель.рф{PATH}"),
        ("http://localhost:8080", f"http://localhost:8080{PATH}"),
        ("http://LOCALHOST", f"http://LOCALHOST{PATH}"),
        ("http://127.0.0.1:8080/x/", f"http://127.0.0.1:8080/x{PATH}"),
        ("http://127.8.9.10", f"http://127.8.9.10{PATH}"),
        ("http://[::1]:8080", f"http://[::1]:8080{PATH}"),
    ],
)
def test_the_endpoint_stands_below_the_base_url(base_url, url):
    """Exactly one slash between, a path prefix kept, nothing else changed."""
    assert endpoint_url(base_url) == url
    assert settings(base_url=base_url).url == url


SHAPE = "base_url must look like https://ru.altkraft.com"


@pytest.mark.parametrize(
    ("base_url", "sentence"),
    [
        *[(url, f"{SHAPE}, without blanks") for url in (None, b"https://a", 5, f"{CLOUD} ", " ")],
        *[
            (f"{CLOUD}{c}", f"{SHAPE}, without blanks")
            for c in ("\n", "\x00", "\\x", "\u200b", "\t")
        ],
        *[
            (url, f"{SHAPE}: a scheme")
            for url in ("", "ru.altkraft.com", "//ru.altkraft.com", "https://")
        ],
        *[
            (url, f"{SHAPE}: a scheme")
            for url in ("ftp://a", "https:///path", "https://:443", "a:b")
        ],
        *[(f"{CLOUD}:{p}", f"{SHAPE}: a scheme") for p in ("0", "65536", "x", "-1", "99999999")],
        *[
            (url, f"{SHAPE}: a scheme")
            for url in ("https://[::1", "https://::1]", "https://[x]", "https://a\u2100b")
        ],
        (f"{CLOUD}?a=b", "base_url must not have a query or a fragment"),
        (f"{CLOUD}?", "base_url must not have a query or a fragment"),
        (f"{CLOUD}/#", "base_url must not have a query or a fragment"),
        (f"{CLOUD}/x#y", "base_url must not have a query or a fragment"),
        ("https://user:canary@host", "base_url must not carry a user name or a password"),
        ("https://canary@host", "base_url must not carry a user name or a password"),
        ("https://@host", "base_url must not carry a user name or a password"),
        *[
            (f"http://{host}", "base_url is plain http to")
            for host in (
                "ru.altkraft.com",
                "10.0.0.1",
                "localhost.example.com",
                "127.0.0.1.example.com",
                "example.com:80",
                "0.0.0.0",
                "[::2]",
            )
        ],
    ],
)
def test_a_base_url_that_will_not_do_is_refused(base_url, sentence):
    """Nothing but an https URL of a host, or http to this machine."""
    with pytest.raises(ConfigurationError) as caught:
        endpoint_url(base_url)
    assert str(caught.value).startswith(sentence)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_plain_http_is_allowed_by_saying_so():
    """`allow_http` is the user's word that the network is safe."""
    assert settings(base_url="http://panel:8080", allow_http=True).url == f"http://panel:8080{PATH}"
    with pytest.raises(ConfigurationError):
        endpoint_url("ftp://panel", allow_http=True)


@pytest.mark.parametrize("proxy", ["http://u:p@proxy:3128", "https://proxy", None])
def test_a_proxy_may_have_a_password(proxy):
    """It is the proxy's, and it is not shown."""
    assert settings(proxy=proxy).proxy == proxy


@pytest.mark.parametrize(
    "proxy", ["http://u:canary/x@proxy:1", "http://u:canary@pr\u2100xy", "socks://u:canary@p"]
)
def test_a_proxys_password_is_not_quoted(proxy):
    """A URL that cannot be read is not repeated in the sentence."""
    with pytest.raises(ConfigurationError) as caught:
        settings(proxy=proxy)
    lines = traceback.TracebackException.from_exception(caught.value).format_exception_only()
    assert "canary" not in "".join(lines)
