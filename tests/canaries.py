"""Canaries: a token and members' addresses that may be found nowhere, in whatever spelling.

They have characters in them that each spelling writes in its own way, so that a text that was
encoded on its way is found as well. `hits` says what stands in a text; `faces` is all the ways in
which a value shows itself, and `shown_by` those of an exception, its chain and its frames.
"""

import base64
import copy
import html
import json
import pickle
import re
import traceback
from collections import Counter
from pathlib import Path
from urllib.parse import quote, quote_plus

import attrs

from altcraft_balance.models import BalanceQuery, ByCustomField, ByEmail, ByPhone, ByProfileId

TOKEN = "canary/t0ken&\"5f1e'<9a77>"
EMAIL = "canary+member&'7c2b\"@nest.example.com"
PHONE = "+7 (900) canary-31-41&59"
PROFILE = "canary<profile>\\6dq8"
CARD = "canary/card é&2718"

CANARIES = {"token": TOKEN, "email": EMAIL, "phone": PHONE, "profile": PROFILE, "card": CARD}
#: What a lookup may be asked by; in each a canary.
MATCHINGS = [ByEmail(EMAIL), ByPhone(PHONE), ByProfileId(PROFILE), ByCustomField("card", CARD)]

#: Whose frames hold canaries by right.
_TESTS = str(Path(__file__).parent)


# ── spellings ────────────────────────────────────────────────────────────────────────────────


def spellings(value):
    """The ways in which `value` may be written, in lower case and without backslashes.

    One escape may lie in another, such as a repr in a line of JSON: each doubles backslashes.
    """
    written = (
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        html.escape(value),
        html.escape(value, quote=False),
        html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        json.dumps(value)[1:-1],
        ascii(value)[1:-1],
        repr(value.encode())[2:-1],
        value.replace('"', '""'),
        value.replace("'", "''"),
    )
    return {_flat(text) for text in written}


def _flat(text):
    return text.lower().replace("\\", "")


def in_base64(value):
    """What stands in any base64 in which `value` does: it may begin at each of three places."""
    raw = value.encode()
    cut = [base64.b64encode(bytes(begin) + raw).decode() for begin in range(3)]
    # The first and last characters also speak of what stands beside it.
    return {text[4 if begin else 0 : -4] for begin, text in enumerate(cut)}


def _any_of(texts):
    return re.compile("|".join(map(re.escape, texts)))


_SPELT = {name: _any_of(spellings(value)) for name, value in CANARIES.items()}
_BASE64 = {name: _any_of(in_base64(value)) for name, value in CANARIES.items()}


def hits(shown):
    """Which canaries stand in a text or in bytes, each with what is around it."""
    text = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else shown
    standard = text.replace("-", "+").replace("_", "/")  # base64 has two alphabets
    return [
        f"{name}: {within[max(0, match.start() - 60) : match.end() + 20]!r}"
        for patterns, within in ((_SPELT, _flat(text)), (_BASE64, standard))
        for name, pattern in patterns.items()
        if (match := pattern.search(within)) is not None
    ]


# ── faces ────────────────────────────────────────────────────────────────────────────────────


def faces(value):
    """All the ways in which a value shows itself, by name; its own data is not among them."""
    yield "repr", repr(value)
    yield "str", str(value)
    yield "format", f"{value}"
    if isinstance(value, BaseException):
        yield "pickle", pickle.dumps(_without_data(value))
        yield from shown_by(value)
        return
    if attrs.has(type(value)):
        yield "asdict", repr(attrs.asdict(value, filter=_not_data))


def _not_data(attribute, value):
    """A query is data, in `asdict` as elsewhere."""
    return not isinstance(value, BalanceQuery)


def _without_data(error):
    """`error` without the queries that were never sent, which are the caller's data."""
    shown = copy.copy(error)
    shown.unsent = ()
    return shown


def shown_by(error):
    """What can be printed of an exception: frames with their locals, chain, notes and causes."""
    seen, queue = set(), [error]
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield "chain", "\n".join([repr(one), str(one), *getattr(one, "__notes__", [])])
        yield "fields", repr(vars(one))
        yield "frames", "".join(_frames(one))
        queue += [one.__cause__, one.__context__, getattr(one, "last_error", None)]
        queue += getattr(one, "exceptions", [])


def _frames(error):
    """Each frame that is not a test's, with its locals, as an error tracker sends it away."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    for frame in stack:
        if not frame.filename.startswith(_TESTS):
            told = [f"{name} = {value}" for name, value in (frame.locals or {}).items()]
            yield "\n".join([f"{frame.filename}:{frame.lineno} {frame.name}", *told, ""])


class Watch:
    """Looks at what is shown, and remembers where how much was seen and what was found.

    In texts it also looks for what a terminal would obey.

    Attributes:
        seen: how many texts were looked at, by where they were shown.
        found: the hits, each with where it was.
    """

    def __init__(self):
        self.seen, self.found = Counter(), []

    def look(self, where, *texts):
        """Look at texts that were shown at `where`."""
        for text in texts:
            self.seen[where] += bool(text)
            self.found += [f"{where}: {hit}" for hit in hits(text)]
            if isinstance(text, str) and "\x1b" in text:
                self.found.append(f"{where}: an escape of a terminal's in {text!r:.300}")

    def look_at(self, where, *values):
        """Look at the faces of values; an exception's are counted one by one."""
        for value in values:
            for name, text in faces(value):
                self.look(f"{where} {name}", text)
