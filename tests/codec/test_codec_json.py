"""JSON: what orjson does silently is caught."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from altcraft_balance.codec import json as codec
from altcraft_balance.codec.envelope import MAX_ELEMENTS, BadEnvelope, NotAnEnvelope

#: Keys twice, at any depth, in any spelling.
REPEATED = [
    '{"a":1,"a":1}',
    '{"a":1,"a":2}',
    '{"a":"x","a":"x"}',
    '{"a":null,"b":2,"a":null}',
    '{"a":{},"a":{}}',
    '{"":1,"":2}',
    '{"x":{"a":1,"a":2}}',
    '{"x":[{"a":1,"a":2}]}',
    '{"error":5,"\\u0065rror":0}',
    '{"\\u0065rror":5,"error":0}',
    '{"a\\/b":1,"a/b":2}',
    '{"q\\"":1,"q\\u0022":2}',
    '{"a":"\\"","a":1}',
    '{"Ж":1,"\\u0416":2}',
    '{"a":1.5,"a":1.5}',
]


@pytest.mark.parametrize("source", REPEATED)
def test_a_key_that_stands_twice_is_refused(source):
    """Nobody chooses between two values of one key, however the second is spelt."""
    with pytest.raises(BadEnvelope, match="twice"):
        codec.read(source.encode())


@pytest.mark.parametrize(
    "source",
    [
        '{"a":1,"A":2}',
        '{"a":{"a":{"a":"a"}}}',
        '{"a":[{"b":1},{"b":1}]}',
        '{"a":"\\"","b":"\\\\"}',
        '{"a":"","b":[],"c":{},"d":[""]}',
        ' {"a" : "b"} ',
    ],
)
def test_a_faithful_text_is_read_as_the_standard_library_reads_it(source):
    """Keys that only look alike are not refused, and quotes in texts do not confuse the count."""
    assert codec.read(source.encode()) == json.loads(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("0.1", "0.1"),
        ("1.0", "1.0"),
        ("1e2", "1e2"),
        ("18446744073709551616", "18446744073709551616"),
        ("[[0.10]]", [["0.10"]]),
    ],
)
def test_a_number_that_a_float_would_damage_comes_as_its_text(source, text):
    """No float comes out of the parser."""
    assert codec.read(f'{{"a":{source}}}'.encode()) == {"a": text}


@pytest.mark.parametrize(
    "source",
    ["{", "{}}", '{"a":1', "{'a':1}", '{"a":NaN}', '{"a":"\\ud800"}', '{"a":"\n"}', '{"a":1,}'],
)
def test_what_is_no_whole_json_is_no_envelope(source):
    """Broken JSON may be a cut reply, so it is worth a repeat."""
    with pytest.raises(NotAnEnvelope, match="whole JSON"):
        codec.read(source.encode())


def test_bytes_that_are_no_utf8_are_no_envelope():
    """JSON is UTF-8 and nothing else (RFC 8259, section 8.1)."""
    with pytest.raises(NotAnEnvelope):
        codec.read('{"a":"Ж"}'.encode("cp1251"))


@pytest.mark.parametrize("opening", ["{", "["])
def test_more_elements_than_any_envelope_has_are_refused(opening):
    """The number of elements is bounded before anything is parsed, and with it the depth."""
    value = "0"
    for _ in range(MAX_ELEMENTS - 1):
        value = f'{{"a":{value}}}' if opening == "{" else f"[{value}]"
    assert codec.read(f'{{"a":{value}}}'.encode())
    with pytest.raises(BadEnvelope, match="more elements"):
        codec.read(f'{{"a":[{value}]}}'.encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=5), st.booleans())
def test_any_value_without_floats_is_read_unchanged(value, ascii_only):
    """The fast way and the slow way give what was written, but for numbers as text."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    slow = json.loads(body, parse_int=str)
    assert codec.read(body) in (value, slow)


@pytest.mark.parametrize(
    "source",
    ['{"a":"b","c":{"d":["e",{"f":null}],"g":1}}', '{"a":true,"b":[],"c":{}}', "{}", '{"a":["b"]}'],
)
def test_what_the_fast_parser_reads_faithfully_is_not_read_twice(source, monkeypatch):
    """The slow parser is asked only where there is a float, an escape or a key too few."""
    monkeypatch.setattr(codec, "_read_slowly", None)
    assert codec.read(source.encode()) == json.loads(source)


def test_the_257th_bracket_is_one_too_many():
    """Wide or deep."""

    def body(brackets):
        return b'{"a":[' + b",".join([b"[]"] * (brackets - 2)) + b"]}"

    assert len(codec.read(body(256))["a"]) == 254
    with pytest.raises(BadEnvelope, match="more elements"):
        codec.read(body(257))
