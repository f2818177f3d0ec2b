"""Reads replies with numbers of every kind in both formats, and prints what came of it as JSON.

What must come of a number is said by `is_an_amount` here, from the rule alone: a plain decimal
number of at most 64 digits and 64 places either way. Either that very `Decimal` comes, to the last
place and zero, or an `UnexpectedReply` that is not to be repeated.
"""

import json
import random
import string
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from altcraft_balance.codec.reply import read_reply, read_usual
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import UnexpectedReply
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.secret import HiddenStr
from tests.promises.child import answer, options_of

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WIRE = RequestEncoder(HiddenStr("abc123"), loyalty_program_id=1).encode(
    BalanceQuery(ByEmail("user@example.com"))
)
EDGES = [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**29, 10**63, 10**64, 0]
#: What is no amount in JSON and none as a text.
OTHERS = ["true", "false", "NaN", "Infinity", "-Infinity", "1e999", "1e65", "0x10", "1_000", "--1"]
SCRIPTS = ["\u0660", "\u06f0", "\u0966", "\uff10", "\U0001d7ce"]
#: JSON only: what XML can't say, or says otherwise.
VALUES = [
    "null",
    "true",
    "[]",
    '["1"]',
    '["1","2"]',
    "[1]",
    "{}",
    '{"a":"1"}',
    '""',
    "NaN",
    "1e999",
]


def digits(chance, most):
    return "".join(chance.choices(string.digits, k=chance.randint(1, most)))


def number(chance):
    """A decimal number in JSON's grammar: edges of machine numbers, long ones, exponents."""
    how = chance.random()
    if how < 0.3:
        whole = str(chance.choice(EDGES) + chance.randint(-2, 2) * (how < 0.2)).lstrip("-")
    else:
        whole = digits(chance, 30).lstrip("0") or "0"
    places = f".{digits(chance, 30)}" if chance.random() < 0.5 else ""
    power = ""
    if chance.random() < 0.2:
        power = chance.choice("eE") + chance.choice(["", "+", "-"]) + str(chance.randint(0, 80))
    return chance.choice(["", "-"]) + whole + places + power


def is_an_amount(text):
    """Whether `text`, which is in JSON's grammar of numbers, is within the bounds."""
    _, figures, exponent = Decimal(text).as_tuple()
    return len(figures) <= 64 and abs(exponent) <= 64


def in_another_script(chance, text):
    zero = ord(chance.choice(SCRIPTS))
    return "".join(chr(zero + int(c)) if c.isdigit() else c for c in text)


def in_json(source, active, *, further=""):
    data = f'{{"total_balance":{source},"active_balance":{active}}}'
    return f'{{"error":0,"error_text":"","data":{data}{further}}}'.encode()


def in_xml(source, active):
    return (
        "<xml><error>0</error><error_text></error_text><data>"
        f"<total_balance>{source}</total_balance><active_balance>{active}</active_balance>"
        "</data></xml>"
    ).encode()


def read(body):
    """The total to the last place, None when it is refused for good, or what is wrong."""
    try:
        balance = read_usual(WIRE, 200, {}, body, NOON) or read_reply(WIRE, 200, {}, body, NOON)
    except UnexpectedReply as error:
        return "worth a repeat" if error.transient else None
    except Exception as error:
        return f"raised {type(error).__name__}"
    return str(balance.total_balance)


def cases(chance):
    """For one number: where it stands, the reply's body, and what must come of it."""
    text, further = number(chance), chance.choice(["", ',"x":"\\n"', ',"x":1.5', ',"x":[1,null]'])
    active = chance.choice(['"1"', "1", "0.1"])
    exact = str(Decimal(text)) if is_an_amount(text) else None
    # To JSON a bare -0 is a whole number, and those have no sign at zero.
    bare = {exact, "0"} if text == "-0" else {exact}
    yield "JSON number", in_json(text, active, further=further), bare
    yield "JSON text", in_json(f'"{text}"', active, further=further), {exact}
    yield "XML", in_xml(text, "1"), {exact}
    twice = f'{text},"total_balance":{chance.choice([text, "1"])}'
    yield "JSON, twice", in_json(twice, active, further=further), {None}
    yield "XML, twice", in_xml(f"{text}</total_balance><total_balance>1", "1"), {None}
    other = chance.choice([*OTHERS, in_another_script(chance, text)])
    if not other.isascii() or other in OTHERS:
        yield "JSON text, no number", in_json(f'"{other}"', active), {None}
        yield "XML, no number", in_xml(other, "1"), {None}
    value = chance.choice(VALUES)
    yield "JSON value", in_json(value, active, further=further), {None, "worth a repeat"}


def main():
    chance, tally, wrong = random.Random(asked.seed), Counter(), []
    while tally.total() < asked.cases:
        for place, body, wanted in cases(chance):
            tally[place] += 1
            if (came := read(body)) not in wanted:
                wrong.append(f"{place}: {came} for {json.dumps(body.decode())}")
    return {"tried": tally.total(), "places": tally, "wrong": wrong}


if __name__ == "__main__":
    asked = options_of(__doc__, cases=1000, seed=16)
    answer(main())
