"""What an error shows of a reply: the server's words, cut and clean, without token or address."""

import html
import json
import traceback
from urllib.parse import quote, quote_plus

import pytest

from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.models import BalanceQuery, ByCustomField, ByEmail, ByPhone
from altcraft_balance.secret import HiddenStr
from tests.codec.replies import error_of

TOKEN = "sEcret+/tok&en=="
SENT = {
    "email": (ByEmail("an.o'dd+one@example.com"), "an.o'dd+one@example.com"),
    "phone": (ByPhone("+7 (999) 123-45-67"), "+7 (999) 123-45-67"),
    "custom": (ByCustomField("card", ' "qu<o>ted" a/b+c '), '"qu<o>ted" a/b+c'),
    "letters": (ByCustomField("card", "имя/é"), "имя/é"),
    "number": (ByCustomField("card", 9007199254740), "9007199254740"),
    "extra": (ByEmail("other@example.com"), "further value"),
}
SPELLINGS = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "percent": lambda text: quote(text, safe=""),
    "percent-lower": lambda text: quote(text, safe="").lower(),
    "percent-but-slash": quote,
    "percent-but-at": lambda text: quote(text, safe="@+"),
    "form": quote_plus,
    "html": html.escape,
    "html-but-quotes": lambda text: html.escape(text, quote=False),
    "html-decimal": lambda text: (
        html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "html-upper": lambda text: html.escape(text).upper(),
    "json": lambda text: json.dumps(text)[1:-1],
    "json-but-letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json-of-php": lambda text: json.dumps(text)[1:-1].replace("/", r"\/"),
    "json-of-go": lambda text: (
        json.dumps(text)[1:-1]
        .replace("&", r"\u0026")
        .replace("<", r"\u003c")
        .replace(">", r"\u003e")
    ),
}


@pytest.fixture(params=SENT)
def sent(request):
    matching, shown = SENT[request.param]
    extra = {"note": "further value"} if request.param == "extra" else None
    encoder = RequestEncoder(HiddenStr(TOKEN), loyalty_program_id=1)
    return encoder.encode(BalanceQuery(matching, extra=extra)), shown


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_the_server_echoes_is_redacted(spelling, sent, failure, monkeypatch):
    """The token and the member's values become ``***``, in the usual spellings at little cost."""
    monkeypatch.setattr("altcraft_balance.codec.reply.redacted_bytes", None)  # the dear way
    wire, address = sent
    token, address = SPELLINGS[spelling](TOKEN), SPELLINGS[spelling](address)
    text = f"bad token {token} for {address}, sorry"
    body = f"<xml><error>400</error><error_text>{html.escape(text)}</error_text></xml>".encode()
    error = failure(body, to=wire)
    assert error.text == "bad token *** for ***, sorry"
    for shown in (str(error), repr(error), error.text, *map(str, vars(error).values())):
        assert token not in shown
        assert address not in shown


@pytest.mark.parametrize(("said", "text"), [
    ("no user&#64;example.com here", "no *** here"),
    ("no user%2540example.com here", "no *** here"),
    ("no User at example.com", "no *** at example.com"),
    ("token abc123\u200bdef456", "***"),  # what it was made of cannot be told apart
    ("token abc123de... is wrong", "***"),
    ("no dXNlckBleGFtcGxlLmNvbQ==", "***"),
    ("x" * 490 + "user%2540example.com", "x" * 490 + "***"),
])  # fmt: skip
def test_what_can_be_read_out_of_the_servers_words_costs_them(said, text, failure):
    """Spellings that are not the usual ones: the value goes, or else all of the words."""
    error = failure(error_of(7, said))
    assert error.text == text


def test_nobody_else_is_named_either(failure):
    """The profile that was asked for has an address, which is shown no more than an asked one."""
    said = "the profile of ann.smith@example.org (+7 900 123-45-67) is blocked since 2026-11-26"
    error = failure(error_of(7, said))
    assert error.text == "the profile of *** (***) is blocked since 2026-11-26"
    assert "ann.smith" not in repr(error)


def test_an_echo_in_the_content_type_is_redacted(wire, failure):
    """The one header that is shown is cleaned like the text."""
    message = str(failure(b"", headers={"content-type": "text/USER@example.com\x1b[31m"}))
    assert message.endswith("(text/*** [31m, 0 bytes)")
    # Bytes that are no UTF-8 come as lone surrogates; the odd spelling needs the longer look.
    message = str(failure(b"", headers={"content-type": "text/\udcffuser%2540example.com"}))
    assert "***, 0 bytes" in message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, error_of(400, "no user@example.com, abc123def456")),
        (200, error_of(429, "no user@example.com, abc123def456")),
        (200, b'{"error":440,"data":{"x":"user@example.com abc123def456"}}'),
        (200, b"user@example.com abc123def456"),
        (200, b'{"error":0,"x":"user@example.com abc123def456"}'),
        (200, b'{"error":"user@example.com abc123def456"}'),
        (200, b'{"error":0,"data":{"total_balance":"user@example.com abc123def456"}}'),
        (200, b'{"error":0,"user@example.com":1,"user@example.com":"abc123def456"}'),
        (200, b"<xml><error>user@example.com abc123def456</error"),
        (500, b"user@example.com abc123def456"),
    ],
)
def test_no_frame_of_an_error_shows_what_was_echoed(status, body, failure):
    """A traceback with locals has neither token nor address, and no parser's error hangs on."""
    error = failure(body, status)
    assert error.__context__ is None
    assert error.__cause__ is None
    frames = error.__traceback__
    while frames.tb_frame.f_code.co_name != "read_reply":
        frames = frames.tb_next
    shown = "".join(
        traceback.TracebackException(type(error), error, frames, capture_locals=True).format()
    )
    assert "read_reply" in shown
    assert "user@example.com" not in shown.lower()
    assert "abc123def456" not in shown.lower()


def test_a_servers_control_characters_do_not_reach_a_sentence(failure):
    """Line breaks and escape codes in the server's text cannot forge a log line."""
    error = failure(b'{"error":7,"error_text":"a\\r\\nERROR b\\u001b[31m\\u0000\\u2028c\\u202ed"}')
    assert str(error).isprintable()
    assert "a  ERROR b [31m  c d" in str(error)


def test_a_long_text_is_cut(failure):
    """No server fills the log."""
    error = failure(error_of(7, "x" * 10_000))
    assert len(error.text) == 500
    assert len(str(error)) < 600


def test_a_text_is_cut_after_it_is_cleaned(failure):
    """Half a token at the cut does not show."""
    error = failure(error_of(7, "x" * 494 + "abc123def456"))
    assert error.text == "x" * 494 + "***"


def test_the_names_of_fields_are_not_taken_for_secrets(failure):
    """What is hidden are values: the words `email` and `custom` may stand in a sentence."""
    assert failure(error_of(400, "no such email, custom or card")).text.endswith("custom or card")
    one = RequestEncoder(HiddenStr(TOKEN), loyalty_program_id=1)
    wire = one.encode(BalanceQuery(ByCustomField("card", "4711")))
    text = "custom field card has no 4711"
    assert failure(error_of(400, text), to=wire).text == "custom field card has no ***"


def test_a_long_content_type_is_cut(failure):
    """At 80 characters."""
    message = str(failure(b"", headers={"content-type": "x" * 100}))
    assert message.endswith(f"({'x' * 80}, 0 bytes)")
