"""Whatever spelling a server repeats a value in, that it can be read out of a text is noticed."""

import base64
import html
import json
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.codec.betrayal import betrays

EMAIL, PHONE, TOKEN = "ann.lee@example.com", "+7 (900) 123-45-67", "s3cr3t/T0ken+abc=="
BETRAYED = {
    EMAIL: [
        "no ANN.Lee@Example.com",
        "no ann.lee&#64;example.com",
        "no ann.lee&amp;amp;#x40;example.com",
        "no ann.lee\\u0040example.com",
        r"no ann.lee\\\\u0040example.com",
        "no ann.lee%252540example.com",
        "no ann%2Elee%40example%2Ecom",
        "no ann.\u200blee@exa mple.com",
        "no ann\x7f.lee",
        r"no ann\u002elee",
        r"no \x61nn.lee",
        "no user 'ann.lee' at 'example.com'",
        "no " + EMAIL.encode().hex(),
        "no " + base64.b64encode(EMAIL.encode()).decode(),
        "no " + base64.b64encode(b"1" + EMAIL.encode()).decode(),
        "no " + base64.urlsafe_b64encode(b"12" + EMAIL.encode() + b"?>").decode(),
    ],
    PHONE: ["no 79001234567", "no 8 900 123-45-67", "no 9001234567", "no +7&nbsp;900 1234567"],
    TOKEN: [
        "bad s3cr3t/T0ken...",
        "bad ...en+abc==",
        "bad s3cr3t/T0ken+\r\n abc==",
        r"bad s3cr3t\x2fT0ken\x2babc==",
        r"bad s3cr3t\/T0ken+abc==",
        quote(quote(TOKEN, safe=""), safe="").lower(),
    ],
    "josé@пример.рф": [
        unicodedata.normalize("NFD", "no josé@пример.рф"),
        "no jose@" + "пример.рф",
        "no " + "josé@пример.рф".encode().decode("latin-1"),
        "no " + "пример.рф".encode("idna").decode() + " of josé",
    ],
    "one@пример.рф": ["no one@" + "пример.рф".encode("idna").decode()],
    "0012345": ["profile 12345 unknown", "profile 0012345", "profile 000012345"],
}
QUIET = {
    EMAIL: ["no member", "no *** at example.com", "example.com", "", "%&\\", "lee"],
    PHONE: ["no +7 ***", "123-45-67", "1234567"],
    TOKEN: ["bad token", "s3cr3t", "T0ken"],
    "7": ["7 of 7"],
    "0012345": ["profile 123456 unknown", "1 2345", "123"],
    "4012": ["limit 40 of 12"],
    "Żó": ["no żó"],
    "abc!def": ["abcdef"],
    "half \ud800 a letter": ["no letter"],
    "no": ["no"],
}


@pytest.mark.parametrize(
    ("value", "text"), [(value, text) for value, texts in BETRAYED.items() for text in texts]
)
def test_a_value_can_be_read_out_of_it(value, text):
    """Undone and without what differs between spellings, it is there."""
    assert betrays(text, ["nothing of it", value])


@pytest.mark.parametrize(
    ("value", "text"), [(value, text) for value, texts in QUIET.items() for text in texts]
)
def test_what_tells_nobody_is_quiet(value, text):
    """A domain alone, the end of a phone, a short number: the words of an error should stay."""
    assert not betrays(text, [value])


def test_it_does_not_go_on_for_ever():
    """Escapes within escapes within escapes: four times are enough for anybody."""
    assert not betrays("%" + "25" * 9 + "41nn.lee@example.com", [EMAIL.replace("a", "A") + "x"])


WAYS = st.lists(
    st.sampled_from([
        quote,
        html.escape,
        str.upper,
        lambda text: json.dumps(text)[1:-1],
        lambda text: "".join(f"&#{ord(letter)};" for letter in text),
        lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    ]),
    max_size=3,
)  # fmt: skip


@given(st.emails(), WAYS, st.text(max_size=20), st.text(max_size=20))
def test_ways_of_writing_may_be_put_on_each_other(address, ways, before, behind):
    """Three on each other, in the middle of whatever."""
    text = address
    for way in ways:
        text = way(text)
    assert betrays(f"{before} {text} {behind}", [address])
