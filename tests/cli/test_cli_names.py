"""A setting is called as its user gave it: an option that was typed, a variable that was set."""

import pytest

EMAIL = ("get", "--email", "user@example.com")
RATE = ("--rate", "10")
NO_NUMBER = "cannot be read: a number is expected"
NO_WHOLE = "cannot be read: a whole number is expected"
ABOVE_0 = "must be a number greater than 0, up to a billion, not"
SEEN_BY_PS = "a store's password does not belong on the command line, where every process can read"

#: What stands after --rate-store, and what is said.
STORES = {
    "http://127.0.0.1:7391": "must begin with redis://, rediss://, unix://, postgres:// or",
    "127.0.0.1:7391": "must begin with redis://, rediss://, unix://, postgres:// or",
    "redis://127.0.0.1:99999": "has a port that is not a number from 1 to 65535",
    "redis://[::1": "is not a URL: see that what is special in it is percent-encoded",
    "redis://h/abc": "has a path that is no database's number: write redis://host/0",
    "redis://": "names no host: write redis://host:6379/0",
    "postgres://app@db:99999": "has a port that is not a number from 1 to 65535",
    "redis://h?socket_timeout=soon": "is not one that redis-py takes: see its path and options",
    "": "is empty: give it a value, or leave it out",
}
#: Passwords, in URLs that are right and in others.
PASSWORDS = [
    "redis://:canary@h",
    "redis://:canary@h:99999",
    "redis://:se#canary@ret@h:1",
    "redis://:p canary@h",
    "redis://:canary@[::1",
    "http://user:canary@h",
    "canary@h",
    "redis://[::1?password=canary",
]
#: Arguments after the member's, and the sentence.
TYPED = [
    (("--rate", "0", "--rate-store", "redis://h"), f"--rate {ABOVE_0} 0.0"),
    (("--rate", "nan", "--rate-workers", "3"), f"--rate {ABOVE_0} nan"),
    (("--rate", "-5"), f"--rate {ABOVE_0} -5.0"),
    (("--rate", "5e-324", "--rate-workers", "9"), "--rate is too small: divided by 9 it is 0"),
    (("--rate", "abc"), f"--rate='abc' {NO_NUMBER}"),
    (("--proxy", ""), "--proxy is empty: give it a value, or leave it out"),
    (("--rate", ""), "--rate is empty: give it a value, or leave it out"),
    ((*RATE, "--rate-workers", "0"), "--rate-workers must be a whole number from 1 to 1,000,000"),
    ((*RATE, "--rate-workers", "x"), f"--rate-workers='x' {NO_WHOLE}"),
    (
        (*RATE, "--rate-store", "redis://h", "--rate-name", "a b"),
        "--rate-name must be 1 to 40 characters",
    ),
    ((*RATE, "--rate-name", "x"), "--rate-name needs --rate-store, where it is"),
    (("--rate-store", "redis://h"), "--rate-store needs --rate, the rate to share"),
    (("--rate-workers", "4"), "--rate-workers needs --rate, the rate to share"),
    (("--program", "1.5"), f"--program='1.5' {NO_WHOLE}"),
    (("--program", "0"), "--program must be 1 or greater"),
    (("--currency-iid", "stars"), f"--currency-iid='stars' {NO_WHOLE}"),
    (("--max-attempts", "x"), f"--max-attempts='x' {NO_WHOLE}"),
    (("--attempt-timeout", "0"), f"--attempt-timeout {ABOVE_0} 0.0"),
    (("--attempt-timeout", "x"), "--attempt-timeout='x' cannot be read: a number of seconds"),
    (("--format", "yaml"), "--format must be one of json, xml"),
    (("--transport", "httpx"), "--transport must be one of aiohttp, direct, not 'httpx'"),
    (
        ("--transport", "direct", "--proxy", "http://h:1"),
        "--proxy does not work with 'direct': leave it out, or take 'aiohttp' (--transport)",
    ),
    (("--transport", "direct", "--trust-env"), "--trust-env does not work with 'direct'"),
    (("--proxy", "socks://h"), "--proxy must look like http://proxy.example.com:3128"),
]
#: Arguments after the member's, variables, and the sentence.
SET = [
    ((), {"RATE_PER_S": "0"}, f"ALTCRAFT_RATE_PER_S {ABOVE_0} 0.0"),
    ((), {"RATE_PER_S": "abc"}, f"ALTCRAFT_RATE_PER_S='abc' {NO_NUMBER}"),
    (RATE, {"RATE_WORKERS": "0"}, "ALTCRAFT_RATE_WORKERS must be a whole number from 1 to"),
    (RATE, {"RATE_STORE": "redis://h/abc"}, "ALTCRAFT_RATE_STORE has a path that is no"),
    (RATE, {"RATE_STORE": "redis://:canary@h?db=x"}, "ALTCRAFT_RATE_STORE is not one that redis"),
    ((), {"RATE_STORE": "redis://h"}, "ALTCRAFT_RATE_STORE needs --rate, the rate to share"),
    ((), {"BURST": "5"}, "ALTCRAFT_BURST needs --rate, the rate after which it is allowed"),
    ((), {"TRANSPORT": "httpx"}, "ALTCRAFT_TRANSPORT must be one of aiohttp, direct, not 'httpx'"),
    (
        ("--trust-env",),
        {"TRANSPORT": "direct"},
        "--trust-env does not work with 'direct': leave it out, or take",
    ),
    ((), {"LOYALTY_PROGRAM_ID": "x"}, f"ALTCRAFT_LOYALTY_PROGRAM_ID='x' {NO_WHOLE}"),
    (("--rate", "0"), {"RATE_PER_S": "50"}, f"--rate {ABOVE_0} 0.0"),
]


def said(ended):
    """The one sentence of wrong usage."""
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1
    assert "canary" not in ended.err
    return ended.err.removeprefix("Error: ").rstrip()


@pytest.mark.parametrize(("store", "sentence"), STORES.items(), ids=STORES)
def test_what_is_wrong_with_a_store_is_said(command, server, store, sentence):
    """Not that it has a password, when it has none."""
    ended = command(*EMAIL, *RATE, "--rate-store", store)
    assert said(ended).startswith(f"--rate-store {sentence}")


@pytest.mark.parametrize("store", PASSWORDS)
def test_a_stores_password_is_refused_on_the_command_line(command, server, store):
    """Whatever else is wrong with the URL: it is to be written elsewhere first."""
    assert said(command(*EMAIL, *RATE, "--rate-store", store)).startswith(SEEN_BY_PS)


@pytest.mark.parametrize(("arguments", "sentence"), TYPED, ids=[" ".join(a) for a, _ in TYPED])
def test_what_was_typed_is_called_by_its_option(command, server, arguments, sentence):
    """And what was left out as well."""
    assert said(command(*EMAIL, *arguments)).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"), SET, ids=[str(v) for _, v, _ in SET]
)
def test_what_was_set_is_called_by_its_variable(command, server, arguments, variables, sentence):
    """Unless the option was typed, which goes before it."""
    variables = {f"ALTCRAFT_{name}": text for name, text in variables.items()}
    assert said(command(*EMAIL, *arguments, **variables)).startswith(sentence)


@pytest.mark.parametrize("option", ["--latency", "--jitter", "--slow", "--rate", "--retry-after"])
def test_the_sandbox_calls_its_settings_by_their_options(command, option):
    """They are others than the client's."""
    assert said(command("sandbox", option, "-1")).startswith(f"{option} must be")
