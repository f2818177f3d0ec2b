"""A token never shows itself (promise 19)."""

import copy
import json
import logging
import pickle
import traceback

import attrs
import orjson
import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenBytes, HiddenStr, Secret, redact

CANARY = "canary-T0ken"


@attrs.frozen
class Holder:
    token: Secret


@pytest.fixture(params=["value", "env", "file"])
def secret(request, monkeypatch, tmp_path):
    if request.param == "value":
        return Secret(CANARY)
    if request.param == "env":
        monkeypatch.setenv("THE_TOKEN", CANARY)
        return Secret.from_env("THE_TOKEN")
    (tmp_path / "token").write_text(f"{CANARY}\n")
    return Secret.from_file(tmp_path / "token")


SHOWN = {
    "repr": repr,
    "str": str,
    "format": lambda secret: format(secret, ">10"),
    "f-string": lambda secret: f"{secret} {secret!r} {secret!s} {secret!a}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "in a list": lambda secret: str([secret, {"token": secret}]),
    "asdict": lambda secret: str(attrs.asdict(Holder(secret))),
    "holder": lambda secret: repr(Holder(secret)),
    "dir": lambda secret: str(dir(secret)),
    "slots": lambda secret: str([getattr(secret, name) for name in Secret.__slots__]),
    "state": lambda secret: str(secret.__getstate__()),
    "copy": lambda secret: repr(copy.copy(secret)),
    "deepcopy": lambda secret: repr(copy.deepcopy(secret)),
    "default=str": lambda secret: json.dumps(secret, default=str),
    "default=repr": lambda secret: orjson.dumps(secret, default=repr).decode(),
    "revealed": lambda secret: repr(secret.reveal()) + repr([secret.reveal()]),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_no_way_of_printing_shows_the_token(show, secret):
    """Printed in whatever way, a secret is ``***`` or where it comes from."""
    assert CANARY not in show(secret)


def test_only_reveal_gives_the_token(secret):
    """And it gives it as text that HTTP libraries take."""
    assert secret.reveal() == CANARY
    assert isinstance(secret.reveal(), str)


@pytest.mark.parametrize("dump", [json.dumps, orjson.dumps, vars, iter, len, bytes])
def test_a_secret_is_no_data(dump, secret):
    """Nothing that looks for fields finds any."""
    with pytest.raises(TypeError):
        dump(secret)


def test_a_log_record_does_not_show_it(secret, caplog):
    """Neither lazily nor eagerly formatted."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").debug("token %s %r", secret, secret, extra={"token": secret})
    assert CANARY not in caplog.text + str(vars(caplog.records[0]))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_by_value_does_not_pickle(protocol):
    """The sentence says what to do instead."""
    for thing in (Secret(CANARY), Holder(Secret(CANARY))):
        with pytest.raises(
            TypeError, match=r"Secret\.from_env\(name\) or Secret\.from_file"
        ) as caught:
            pickle.dumps(thing, protocol)
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("secret", ["env", "file"], indirect=True)
def test_a_reference_pickles_without_the_token(secret):
    """The pickle holds the name, and the copy finds the token where it is read."""
    pickled = pickle.dumps(secret)
    assert CANARY.encode() not in pickled
    copied = pickle.loads(pickled)
    assert repr(copied) == repr(secret)
    assert copied.reveal() == CANARY
    assert copied.path == secret.path


def test_a_secret_says_where_it_comes_from(tmp_path):
    """The reference is no secret."""
    assert repr(Secret(CANARY)) == "Secret(***)"
    assert repr(Secret.from_env("A")) == "Secret.from_env('A')"
    assert repr(Secret.from_file("/run/token")) == "Secret.from_file('/run/token')"
    assert str(Secret.from_env("A")) == "***"
    assert (Secret(CANARY).path, Secret.from_env("A").path) == (None, None)
    assert Secret.from_file(tmp_path / "t").path == str(tmp_path / "t")


def test_a_file_is_read_each_time(tmp_path):
    """Rotation needs no restart; a BOM and blanks around the token go."""
    file = tmp_path / "token"
    secret = Secret.from_file(file)
    for text, token in [("one\n", "one"), ("\ufefftwo\r\n", "two"), ("  three ", "three")]:
        file.write_text(text, "utf-8")
        assert secret.reveal() == token


def of_file(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    return Secret.from_file(tmp_path / "token").reveal


def of_env(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("THE_TOKEN", raising=False)
    else:
        monkeypatch.setenv("THE_TOKEN", value)
    return Secret.from_env("THE_TOKEN").reveal


FAILING = {
    "empty": (lambda t, m: lambda: Secret(""), "the token is empty or not set"),
    "blanks": (lambda t, m: lambda: Secret(f"{CANARY} "), "the token has blanks or control"),
    "line": (lambda t, m: lambda: Secret(f"{CANARY}\r\nX: y"), "the token has blanks or control"),
    "nul": (lambda t, m: lambda: Secret(f"{CANARY}\x00"), "the token has blanks or control"),
    "c1": (lambda t, m: lambda: Secret(f"{CANARY}\x85"), "the token has blanks or control"),
    "c1 control": (lambda t, m: lambda: Secret(f"{CANARY}\x9b"), "the token has blanks or control"),
    "delete": (lambda t, m: lambda: Secret(f"{CANARY}\x7f"), "the token has blanks or control"),
    "surrogate": (
        lambda t, m: lambda: Secret(f"{CANARY}\ud800"),
        "the token has blanks or control",
    ),
    "bytes": (lambda t, m: lambda: Secret(CANARY.encode()), r"must be text \(str\), not bytes"),
    "none": (lambda t, m: lambda: Secret(None), r"must be text \(str\), not NoneType"),
    "list": (lambda t, m: lambda: Secret([CANARY]), r"must be text \(str\), not list"),
    "env unset": (lambda t, m: of_env(m, None), "variable THE_TOKEN is empty or not set"),
    "env empty": (lambda t, m: of_env(m, ""), "variable THE_TOKEN is empty or not set"),
    "env blanks": (lambda t, m: of_env(m, f"{CANARY}\n"), "variable THE_TOKEN has blanks"),
    "file empty": (lambda t, m: of_file(t, b" \n"), "the token file .* is empty or not set"),
    "file lines": (
        lambda t, m: of_file(t, f"{CANARY}\nb".encode()),
        "the token file .* has blanks",
    ),
    "file binary": (
        lambda t, m: of_file(t, CANARY.encode() + b"\xff"),
        "cannot be read: it is not UTF-8",
    ),
    "file utf16": (
        lambda t, m: of_file(t, CANARY.encode("utf-16")),
        "cannot be read: it is not UTF-8",
    ),
    "no file": (lambda t, m: Secret.from_file(t / "none").reveal, "cannot be read: No such file"),
    "directory": (lambda t, m: Secret.from_file(t).reveal, "cannot be read: Is a directory"),
    "no path": (lambda t, m: Secret.from_file("a\0b").reveal, "cannot be read: it is not a path"),
}


def shown_with_locals(error, below):
    """What a logger that shows locals prints of the package's own frames."""
    frames = error.__traceback__
    while frames.tb_next and below not in frames.tb_frame.f_code.co_filename:
        frames = frames.tb_next
    whole = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    return "".join(whole.format())


@pytest.mark.parametrize(("prepare", "sentence"), FAILING.values(), ids=FAILING)
def test_no_failure_of_a_secret_shows_the_token(prepare, sentence, tmp_path, monkeypatch):
    """One sentence says what was wrong, and no frame, message or chained error has the token."""
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        prepare(tmp_path, monkeypatch)()
    error = caught.value
    shown = shown_with_locals(error, "altcraft_balance")
    assert "secret.py" in shown
    assert CANARY not in shown
    assert error.__context__ is None
    assert error.__cause__ is None


def test_a_frame_that_holds_a_secret_does_not_show_it(secret):
    """A traceback with locals, through functions that were given the secret and its value."""

    def inner(token, value, body):
        raise RuntimeError("boom")

    def outer(token):
        value = token.reveal()
        inner(token, value, HiddenBytes(value.encode()))

    with pytest.raises(RuntimeError) as caught:
        outer(secret)
    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(whole.format())
    assert "value = ***" in shown
    assert CANARY not in shown


def test_hidden_types_are_what_they_hide():
    """Sockets and HTTP libraries take them for the `str` and the `bytes` that they are."""
    text, data = HiddenStr("abc"), HiddenBytes(b"abc")
    assert (text, data) == ("abc", b"abc")
    assert (repr(text), repr(data), f"{text!r}") == ("***", "***", "***")
    assert (text.encode(), data.decode()) == (b"abc", "abc")


@pytest.mark.parametrize(
    ("text", "values", "clean"),
    [
        ("no abcd here", ["abcd"], "no *** here"),
        ("ABCD aBcD", ["abcd"], "*** ***"),
        ("xabcdx", ["abcd"], "x***x"),
        ("a.c+(d [a-z]", ["a.c+(d", "[a-z]"], "*** ***"),
        ("axc", ["a.c"], "axc"),
        ("longer long", ["long", "longer"], "*** ***"),
        ("a member", ["somebody else", "member"], "a ***"),
        ("1 of 10, 1", ["1"], "*** of 10, ***"),
        ("id42 42", ["42"], "id42 ***"),
        ("nothing", ["", "x"], "nothing"),
        ("ЖАННА жанна", ["Жанна"], "*** ***"),
        ("\\g<0> \\1", ["\\g<0>"], "*** \\1"),
        ("", ["a"], ""),
        ("text", [], "text"),
    ],
)
def test_redact_hides_values_and_leaves_the_rest(text, values, clean):
    """Any value, in any case; a short one only where it stands alone."""
    assert redact(text, values) == clean


def test_a_copy_of_a_secret_is_that_secret(secret):
    """Copies are no second place where the token lies."""
    assert copy.copy(secret) is secret
    assert copy.deepcopy(Holder(secret)).token is secret


@pytest.mark.parametrize(("value", "has_advice"), [("", True), ("a b", False)])
def test_who_has_no_token_is_told_to_give_one(value, has_advice):
    """Who has a wrong one is told only what is wrong with it."""
    with pytest.raises(ConfigurationError) as caught:
        Secret(value)
    assert str(caught.value).endswith(": give the account's API token") is has_advice
    assert has_advice or str(caught.value).endswith("in it")


def test_a_secret_in_trouble_has_no_value(tmp_path, monkeypatch):
    """Whoever looks it up without a raise gets an empty text and the reason."""
    monkeypatch.setenv("THE_TOKEN", "two words")
    assert Secret.from_env("THE_TOKEN").look_up() == ("", "has blanks or control characters in it")
    value, trouble = Secret.from_file(tmp_path / "none").look_up()
    assert value == ""
    assert trouble.startswith("cannot be read")


def test_what_does_not_stand_in_a_text_costs_no_pattern(monkeypatch):
    """Each lookup has other values, and `re` keeps hundreds of patterns."""
    monkeypatch.setattr("altcraft_balance.secret.re.sub", None)
    assert redact("no such member", {"t0ken", "user@example.com"}) == "no such member"


@pytest.mark.parametrize("letter", ["\ufffe", "\uffff", "\ud800", "\x85", "\u2028"])
def test_a_token_that_a_request_cannot_carry_is_refused(letter):
    """XML has no place for the first two, UTF-8 none for the third, a header none for the rest."""
    with pytest.raises(ConfigurationError, match="has blanks or control characters in it"):
        Secret(f"to{letter}ken")
