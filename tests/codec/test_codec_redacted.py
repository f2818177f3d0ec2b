"""What is kept of a reply has nothing of what was asked in it, however the server spells it."""

import base64
import html
import json
import re
import time
from html.entities import html5
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.codec.redacted import (
    MAX_KEPT_BYTES,
    redacted_bytes,
    redacted_sample,
    without_anybody,
)
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import HttpStatusError, UnexpectedReply
from altcraft_balance.models import BalanceQuery, ByCustomField, ByEmail, ByPhone, ByProfileId
from altcraft_balance.secret import HiddenStr

TOKEN = "canary/token+5f1e="
ADDRESS = "Kanareika.o'neil&co+1@пример.example"
SPELLINGS = {
    "plain": str.encode,
    "capitals": lambda text: text.upper().encode(),
    "percent": lambda text: quote(text, safe="").encode(),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "percent, small": lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text)).encode(),
    "form": lambda text: quote_plus(text).encode(),
    "HTML": lambda text: html.escape(text).encode(),
    "HTML, twice": lambda text: html.escape(html.escape(text)).encode(),
    "HTML, decimal": lambda text: "".join(f"&#{ord(c)};" for c in text).encode(),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(c):05X};" for c in text).encode(),
    "HTML, ASCII": lambda text: text.encode("ascii", "xmlcharrefreplace"),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON, all": lambda text: "".join(f"\\u{ord(c):04x}" for c in text).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "JSON, slashes": lambda text: json.dumps(text).replace("/", "\\/").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "cp1251": lambda text: text.encode("cp1251"),
    "KOI8-R": lambda text: text.encode("koi8-r"),
    "a mixture": lambda text: (quote(text[:5]) + html.escape(text[5:9]) + text[9:]).encode(),
}
AROUND = {
    "HTML": b"<html><body>No %s here</body></html>",
    "JSON": b'{"error":0,"data":{"member":"%s"}}',
    "XML": b"<xml><error>0</error><data><member>%s</member></data></xml>",
    "nothing": b"%s",
}
#: No server has UTF-16 within something else.
ECHOES = [
    (spelling, around)
    for spelling in SPELLINGS
    for around in AROUND
    if around == "nothing" or not spelling.startswith("UTF")
]


def wire_of(matching=None, *, extra=None, **headers):
    encoder = RequestEncoder(HiddenStr(TOKEN), loyalty_program_id=123, auth="both", headers=headers)
    return encoder.encode(BalanceQuery(matching or ByEmail(ADDRESS), extra=extra))


def sample(body=b"", headers=None, *, wire=None, status=200, error=None):
    error = error or UnexpectedReply("it is odd: it is empty (text/html, 0 bytes)", status=status)
    return redacted_sample(wire or wire_of(), status, headers or {}, body, error)


@pytest.mark.parametrize("value", [TOKEN, ADDRESS, ADDRESS.partition("@")[0]])
@pytest.mark.parametrize(("spelling", "around"), ECHOES)
def test_a_value_goes_in_any_spelling(spelling, value, around):
    """Nothing of it stays, and what stands around it does."""
    spelled = SPELLINGS[spelling](value)
    body = sample(AROUND[around] % spelled)["body.bin"]
    for part in re.findall(r"[^\W_]{4,}", value):
        assert SPELLINGS[spelling](part).strip(b'"\\\xff\xfe\x00').lower() not in body.lower()
    assert b"***" in body
    before, _, after = AROUND[around].partition(b"%s")
    assert body.startswith(before)
    assert body.endswith(after)


@pytest.mark.parametrize("name", [n for n, text in html5.items() if text in set(TOKEN + ADDRESS)])
def test_every_name_that_html_has_for_a_character_is_known(name):
    """`&commat;` is as good as `&#64;`."""
    spelled = "".join(f"&{name}" if c == html5[name] else c for c in f"{TOKEN} {ADDRESS}")
    assert sample(spelled.encode())["body.bin"] == b"*** ***"


@pytest.mark.parametrize(
    "echo", ["79161234567", "8 (916) 123-45-67", "%2B7 916 123 45 67", "+7.916.123.45.67"]
)
def test_a_phone_goes_however_it_is_grouped(echo):
    """The last ten digits are the member's; what stands before them is the country's."""
    body = sample(f"no {echo}!".encode(), wire=wire_of(ByPhone("+7 916 123-45-67")))["body.bin"]
    assert re.fullmatch(rb"no (?:%2B|\+)?[78]?\D{0,3}\*\*\*!", body), body
    assert sample(b"123-4567", wire=wire_of(ByPhone("1234567")))["body.bin"] == b"***"


def test_all_that_was_asked_goes():
    """Custom values, extra fields, headers of the caller's own, and the token in a header."""
    wire = wire_of(ByCustomField("card", 4242), extra={"note": "крокодил"}, **{"X-Key": "k-canary"})
    body = f"4242 card крокодил КРОКОДИЛ k-canary Bearer {TOKEN}".encode()
    assert sample(body, wire=wire)["body.bin"].decode() == "*** card *** *** *** ***"


def test_a_short_value_goes_only_as_a_word():
    """Or nothing would be left."""
    wire = wire_of(ByProfileId("1"))
    assert sample(b'{"id":1,"x":100,"y":"1","z":"a1","1b":0}', wire=wire)["body.bin"] == (
        b'{"id":***,"x":100,"y":"***","z":"a1","1b":0}'
    )


@pytest.mark.parametrize(
    ("value", "echo", "left"),
    [
        ("a b c d", "a+b+c+d", "***"),
        ("abcd", "ab+d", "ab+d"),  # a plus is a blank's spelling, and no other's
        ("a\U0001f381b", '"a\\ud83c\\udf81b"', '"***"'),
        ("ab\ud800cd", "of no character", "of no character"),
        ("", "- nothing -", "- nothing -"),
        ("ab\tcd", "ab&#x9;cd and ab&#9;cd", "*** and ***"),
    ],
)
def test_what_is_odd_in_a_value_has_its_spellings(value, echo, left):
    """Blanks, what needs two units of UTF-16, half of such, and nothing at all."""
    body = sample(echo.encode(), wire=wire_of(**{"X-Key": value}))["body.bin"]
    assert body.decode() == left


def test_what_every_request_has_is_no_secret():
    """The type of a reply is told, though it is the request's, too."""
    kept = sample(headers={"content-type": "application/json", "vary": "*/*"})["headers.json"]
    assert json.loads(kept) == {"content-type": "application/json", "vary": "*/*"}


@pytest.mark.parametrize(
    "somebody",
    [
        "other@example.org", "other%40example.org", "other%2540example.org",
        "other&#64;example.org",
        "other\\u0040example.org", "другая@пример.рф", "+7 (999) 765-43-21",
        "+79997654321",
        "Basic " + base64.b64encode(b"me:canary").decode(), "bearer another-token",
    ],
)  # fmt: skip
def test_what_looks_like_somebody_elses_goes_too(somebody):
    """Whoever it is: the reply was not expected."""
    assert sample(f"<p>{somebody}</p>".encode())["body.bin"] == b"<p>***</p>"


def test_amounts_and_words_stay():
    """A report that tells nothing is of no use."""
    body = b'{"error":0,"data":{"total_balance":"+100000.000000001","active_balance":1e999}} @ 50%'
    assert sample(body)["body.bin"] == body


def test_of_the_headers_those_stay_that_tell_what_it_is():
    """No cookie, and none whose meaning nobody here knows."""
    headers = {
        "content-type": f"text/html; to={ADDRESS}",
        "server": "nginx" + "x" * 600,
        "set-cookie": "session=canary",
        "x-api-key": "canary",
        "location": "https://else.example/?s=canary",
        "www-authenticate": "canary",
    }
    kept = json.loads(sample(headers=headers)["headers.json"])
    assert kept == {"content-type": "text/html; to=***", "server": "nginx" + "x" * 495}


def test_each_header_that_tells_something_is_told_of():
    """What a reply is, how old, who made it, and what a repetition was answered."""
    telling = {
        *("age", "cache-control", "date", "vary", "retry-after"),
        *("connection", "content-encoding", "content-length", "content-type", "transfer-encoding"),
        *("allow", "server", "via", "duplicate-request", "x-duplicate-request"),
    }
    kept = json.loads(sample(headers=dict.fromkeys(telling, "0"))["headers.json"])
    assert kept.keys() == telling


def test_its_files_are_read_by_people():
    """A line for each header, two blanks before it, and an end of the last line."""
    kept = sample(headers={"server": "nginx", "age": "0"})["headers.json"]
    assert kept == b'{\n  "age": "0",\n  "server": "nginx"\n}\n'


def test_half_a_character_breaks_no_words():
    """JSON may have lone surrogates, which no encoding has."""
    assert without_anybody("half: \ud800, other@example.org") == "half: \ufffd\ufffd\ufffd, ***"


def test_a_header_that_is_no_utf_8_is_kept():
    """aiohttp gives such bytes as lone surrogates."""
    odd = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    assert b"caf\xe9 \xff" in sample(headers={"server": odd})["headers.json"]


def test_it_says_what_came_of_it():
    """Without the sizes, which are other ones now."""
    error = HttpStatusError(f"HTTP 502 without {ADDRESS}", status=502, transient=True)
    expected = json.loads(sample(status=502, error=error)["expected.json"])
    assert expected == {
        "502": {"raises": "HttpStatusError", "transient": True, "says": "HTTP 502 without ***"}
    }
    assert json.loads(sample()["expected.json"])["200"]["says"] == "it is odd: it is empty"


@pytest.mark.parametrize("word", ["active_balance", "data", "error", "error_text", "total_balance"])
def test_no_other_envelope_is_made_of_one(word):
    """Whatever the member is called: nothing is left then, and nobody takes it for a reply."""
    wire = wire_of(ByEmail(f"{word}@example.com"))
    body = f'{{"{word}": 1, "of": "{word}@example.com"}}'.encode()
    assert sample(body, wire=wire)["body.bin"] == b"***"


def test_a_body_is_cut_after_it_was_redacted():
    """An address that stands where it is cut would be half of one."""
    body = b"x" * (MAX_KEPT_BYTES - 5) + b" " + ADDRESS.encode() + b"y" * 99999
    kept = sample(body)["body.bin"]
    assert len(kept) == MAX_KEPT_BYTES == 65_536
    assert kept.endswith(b"xx ***y")


@given(body=st.binary(max_size=300), value=st.text(min_size=1, max_size=30))
def test_nothing_breaks_it(body, value):
    """Whatever bytes, whatever value: the value itself is not in what is left."""
    left = redacted_bytes(body + value.encode("utf-8", "surrogatepass"), {value})
    if len(value) > 3 and "*" not in value:
        assert value.encode("utf-8", "surrogatepass") not in left


@pytest.mark.parametrize(
    "piece",
    [
        b"a", b"u", b"\\", b"%25", b"&amp;amp;#000", b"kanareika.o", b"k\0\0\0", b"+1 ().-", b"9",
        b"+123456789012345678901234567890", b"a@", b"a.", b"a@a.", b"Basic    ",
    ],
)  # fmt: skip
def test_no_body_takes_long(piece):
    """Every repetition has a limit: 64 KiB take some 30 ms, and have a second here."""
    began = time.thread_time()
    sample(piece * (MAX_KEPT_BYTES // len(piece)), wire=wire_of(ByEmail(ADDRESS)))
    assert time.thread_time() - began < 1
