"""Replies as a server would write them, in both formats, from one description."""

import json
from xml.sax.saxutils import escape

from attrs import frozen
from hypothesis import strategies as st

#: As text: what any XML can carry, without the blanks that a parser may strip at the ends.
TEXTS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"
    ),
    max_size=20,
).map(str.strip)
AMOUNTS = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", fullmatch=True)
NOT_AMOUNTS = st.sampled_from(
    [
        "",
        "NaN",
        "Infinity",
        "-inf",
        "1,5",
        "1 000",
        "0x1F",
        "1_000",
        "true",
        "null",
        "\u0661",
        "1e999",
    ]
)
NAMES = st.from_regex(r"[a-z][a-z_]{2,8}", fullmatch=True)
CODES = st.sampled_from([400, 401, 402, 403, 404, 429, 440, 500, 599, 600, -1]) | st.integers(
    1, 999
)


@frozen
class Reply:
    """What a server says: fields in their order, all of them texts but `data`."""

    fields: tuple[tuple[str, object], ...]

    def as_json(self, *, ascii_only=False):
        return json.dumps(dict(self.fields), ensure_ascii=ascii_only, default=dict).encode()

    def as_xml(self):
        return f"<xml>{_elements(self.fields)}</xml>".encode()


def _elements(fields):
    return "".join(
        f"<{name}>{_elements(value.items()) if isinstance(value, dict) else escape(value)}</{name}>"
        for name, value in fields
    )


@st.composite
def replies(draw, amounts=AMOUNTS | NOT_AMOUNTS):
    """Success or an error, in any order, with keys that nobody knows; code and amounts as text."""
    code = draw(st.just(0) | CODES)
    fields = {"error": str(code)}
    if draw(st.booleans()):
        fields["error_text"] = draw(TEXTS)
    if code == 0 or draw(st.booleans()):
        fields["data"] = dict(draw(st.permutations(list(draw(data(amounts)).items()))))
    for name in draw(st.lists(NAMES, max_size=2)):
        fields.setdefault(name, draw(TEXTS))
    return Reply(tuple(draw(st.permutations(list(fields.items())))))


@st.composite
def data(draw, amounts):
    """The amounts, now and then one of them only, and something else."""
    found = {"total_balance": draw(amounts), "active_balance": draw(amounts)}
    for name in draw(st.sampled_from([(), (), (), ("total_balance",), ("active_balance",)])):
        del found[name]
    return found | {name: draw(TEXTS) for name in draw(st.lists(NAMES, max_size=1))}


NUMBERS = (
    AMOUNTS.map(lambda text: "-" * text.startswith("-") + _plain(text.lstrip("-")))
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr)
)


def _plain(text):
    """Without the zeros before a number that JSON does not allow."""
    return text.lstrip("0") if text.lstrip("0")[:1].isdigit() else "0" + text.lstrip("0")


@st.composite
def json_sources(draw):
    """JSON written by hand: numbers as numbers, any value as an amount, keys that stand twice."""
    values = (
        NUMBERS | AMOUNTS.map(json.dumps) | st.sampled_from(["null", "true", "[]", '"x"', '["1"]'])
    )
    inner = [("total_balance", draw(values)), ("active_balance", draw(values))]
    outer = [
        ("error", draw(st.sampled_from(["0", '"0"', "0.0", "-0", "403", "true", "null", "00"]))),
        ("data", _object(draw(_doubled(inner, values)))),
    ]
    return _object(draw(_doubled(outer, values))).encode()


def _doubled(pairs, values):
    """`pairs` in any order, now and then with one more that is named as one of them or anew."""
    names = st.sampled_from([name for name, _ in pairs]) | NAMES
    more = st.lists(st.tuples(names, values), max_size=1)
    return st.tuples(st.just(pairs), more).flatmap(lambda both: st.permutations(both[0] + both[1]))


def _object(pairs):
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"
