"""Puts what might inject into every place that a caller fills, and prints what arrived as JSON.

The server is a raw socket: what it got is compared, line by line and field by field, with what was
meant. What is refused before it is sent is counted as such.
"""

import asyncio
import json
import random
from collections import Counter
from xml.etree import ElementTree as ET

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.matchings import ByCustomField, ByEmail, ByPhone, ByProfileId, RawMatching
from altcraft_balance.models import BalanceQuery, CurrencyEid
from tests.hostile.behaviours import answers
from tests.hostile.server import RawServer
from tests.promises.child import answer, options_of
from tests.promises.hostile import ONCE, TOKEN

PIECES = (
    *("\r\n", "\r", "\n", "\0", "\t", "\x0b", "\x0c", "\x1c", "\x7f", "\x85", "\u2028", "\ufeff"),
    *("\r\nX-Injected: 1", "\r\n\r\nPOST / HTTP/1.1\r\n", "\n X: 1", "%0d%0aX-Injected:%201", ": "),
    *("</token><injected>1</injected>", "<injected/>", "]]>", "<![CDATA[", "<!--", "&lt;", "&#13;"),
    *(
        '","injected":"1',
        '"}',
        "\\",
        '\\"',
        "\\u000a",
        "{",
        "'",
        '"',
        "<",
        ">",
        "&",
        "&a;",
        "<?a?>",
    ),
    *(
        "Ж",
        "é",
        "日本",
        "🎁",
        "\ud800",
        "\uffff",
        "İ",
        "a",
        "7",
        "@",
        "example.com",
        " ",
        "/",
        "?",
        "#",
    ),
)
HEADERS = ["host", "content-type", "accept", "user-agent", "accept-encoding", "content-length"]


ALWAYS = {"token": TOKEN, "loyalty_program_id": 123, "retry": ONCE}


def nasty(rng):
    return "".join(rng.choices(PIECES, k=rng.randint(1, 4)))


def by_email(**options):
    return BalanceQuery(ByEmail("a@example.com"), **options)


#: Queries with a text in one of their places.
IN_QUERY = {
    "email": lambda text: BalanceQuery(ByEmail(f"a{text}@example.com")),
    "phone": lambda text: BalanceQuery(ByPhone(f"+7{text}")),
    "profile_id": lambda text: BalanceQuery(ByProfileId(text)),
    "field_name": lambda text: BalanceQuery(ByCustomField(text, "value")),
    "field_value": lambda text: BalanceQuery(ByCustomField("field", text)),
    "currency": lambda text: by_email(currency=CurrencyEid(text)),
    "raw name": lambda text: BalanceQuery(
        RawMatching({"matching": "email_sub", f"n{text}": "value"})
    ),
    "raw value": lambda text: BalanceQuery(RawMatching({"matching": text, "email": text})),
    "extra name": lambda text: by_email(extra={f"n{text}": "value"}),
    "extra value": lambda text: by_email(extra={"further": text}),
}
IN_CLIENT = ("token", "path", "header name", "header value", "user_agent")
PLACES = (*IN_QUERY, *IN_CLIENT)


def settings_of(place, text, rng, url):
    """A client's arguments with `text` in that place."""
    settings = {"format": rng.choice(["json", "xml"]), "auth": rng.choice(["body", "header"])}
    match place:
        case "token":
            settings["token"] = text
        case "path":
            url += "/" + text
        case "header name":
            settings["headers"] = {text: "value"}
        case "header value":
            settings["headers"] = {"X-Team": text}
        case "user_agent":
            settings["user_agent"] = text
    return url, settings


def fields_meant(query, token, auth):
    """All fields of the body in their order, as text, written down without the codec."""
    fields = {"token": token} if auth == "body" else {}
    fields["loyalty_program_id"] = "123"
    if query.currency is not None:
        fields["points_currency_eid"] = query.currency.eid
    match query.matching:
        case ByEmail(email=email):
            fields |= {"matching": "email", "email": email}
        case ByPhone(phone=phone):
            fields |= {"matching": "phone", "phone": phone}
        case ByProfileId(profile_id=profile_id):
            fields |= {"matching": "profile_id", "profile_id": profile_id}
        case ByCustomField(name=name, value=value):
            fields |= {"matching": "custom", "field_name": name, "field_value": value}
        case RawMatching(fields=raw):
            fields |= raw
    return list((fields | dict(query.extra or {})).items())


def fields_sent(body):
    """All fields of a body as a parser that is not ours reads them; nothing may be nested."""
    if body.startswith(b"<"):
        root = ET.fromstring(body)
        assert root.tag == "xml", root.tag
        assert not any(len(child) or child.attrib or child.tail for child in root)
        return [(child.tag, child.text) for child in root]
    pairs = json.loads(body, object_pairs_hook=list)
    return [(name, str(value)) for name, value in pairs]


def headers_meant(settings):
    names = list(HEADERS)
    if settings["auth"] == "header":
        names.append("authorization")
    return sorted([*names, *(name.lower() for name in settings.get("headers") or {})])


def value_of(line):
    return line.partition(b": ")[2].decode("utf-8", "replace")


def wrong_with(raw, query, settings):
    """What arrived that was not meant, in a word; None when there is nothing."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    if any(byte in head.replace(b"\r\n", b"") for byte in b"\r\n\0"):
        return "a bare CR, LF or NUL in the head"
    if not line.startswith(b"POST /") or len(line.split(b" ")) != 3 or not line.isascii():
        return "another request line"
    names = sorted(each.partition(b":")[0].decode("latin-1").lower() for each in headers)
    if names != headers_meant(settings):
        return "other headers"
    given = [*(settings.get("headers") or {}).values(), settings.get("user_agent")]
    if not {each for each in given if each} <= {value_of(each) for each in headers}:
        return "another value of a header"
    token = settings.get("token", TOKEN)
    if fields_sent(body) != fields_meant(query, token, settings["auth"]):
        return "other fields"
    return None


async def tried(server, place, rng):
    """What came of one case: refused, or what was wrong with what arrived, or None."""
    text = nasty(rng)
    try:
        url, settings = settings_of(place, text, rng, server.url)
        query = IN_QUERY[place](text) if place in IN_QUERY else by_email()
        async with BalanceClient(url, transport=asked.lane, **ALWAYS | settings) as client:
            await client.get_balance(query)
    except (ConfigurationError, InvalidQuery):
        return ["refused"] if not server.requests else ["sent and then refused"]
    raws = [raw for peer in server.peers for raw in (*peer.requests, peer.received) if raw]
    if len(raws) != 1:
        return [f"{place}, {text!r}: {len(raws)} requests"]
    wrong = wrong_with(raws[0], query, settings)
    return ["sent"] if wrong is None else [f"{place}, {text!r}: {wrong}"]


async def main():
    rng, counts, wrong = random.Random(asked.seed), Counter(), []
    async with RawServer(answers()) as server:
        for number in range(asked.cases):
            place = PLACES[number % len(PLACES)]
            for word in await tried(server, place, rng):
                known = word in {"refused", "sent"}
                counts[word if known else "wrong"] += 1
                if not known:
                    wrong.append(word)
                elif word == "sent":
                    counts[place] += 1
            for peer in server.peers:
                peer.close()
            server.peers.clear()
    unused = [place for place in PLACES if not counts[place]]
    return {"counts": counts, "wrong": wrong, "never sent": unused}


if __name__ == "__main__":
    asked = options_of(__doc__, lane="aiohttp", cases=1000, seed=1)
    answer(asyncio.run(main()))
