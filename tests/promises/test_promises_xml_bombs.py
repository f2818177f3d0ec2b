"""Row 14: an XML bomb costs nothing.

A reply as large as the cap allows, made to cost a parser as much as it can, is read or refused
for at most 30 ms of CPU and 8 MiB. A DOCTYPE is refused when its name is met, so that nothing in
it is ever read.
"""

import tracemalloc
from datetime import UTC, datetime

import pytest

from altcraft_balance.codec import xml
from altcraft_balance.codec.reply import read_reply
from altcraft_balance.codec.request import RequestEncoder
from altcraft_balance.errors import AltcraftBalanceError, UnexpectedReply
from altcraft_balance.models import BalanceQuery, ByEmail
from altcraft_balance.secret import HiddenStr
from tests.cpu import cpu_noted
from tests.hostile.behaviours import answers
from tests.hostile.replies import reply
from tests.hostile.server import RawServer
from tests.lanes import LANES
from tests.promises.hostile import PATIENT, client_of, outcome_of

CAP = 65_536
CPU_S, BYTES = 0.03, 8 << 20
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
WIRE = RequestEncoder(HiddenStr("t"), loyalty_program_id=1).encode(BalanceQuery(ByEmail("a@b.cd")))


def declaring(inside, body="<error>0</error>"):
    return f"<!DOCTYPE xml [{inside}]><xml>{body}</xml>"


def full(head, piece, tail=""):
    """As many pieces as the cap holds."""
    return head + piece * ((CAP - len(head) - len(tail)) // len(piece)) + tail


TENFOLD = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 50}">' for n in range(10))
DEFAULTS = "".join(f'a{n} CDATA "{"x" * 20}" ' for n in range(500))
DOCTYPES = {
    "entities in entities": declaring(TENFOLD, "&e9;"),
    "a large entity, often": full(declaring(f'<!ENTITY a "{"x" * 30_000}">', "")[:-6], "&a;"),
    "parameter entities": declaring(
        "".join(f"<!ENTITY % p{n} '{f'%p{n - 1};' * 10 if n else 'x'}'>" for n in range(9)) + "%p8;"
    ),
    "default attributes": declaring(f"<!ATTLIST i {DEFAULTS}>", "<i/>" * 200),
    "default attributes, often": full(declaring(f"<!ATTLIST i {DEFAULTS}>", "")[:-6], "<i/>"),
    "an entity from a file": declaring('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"),
    "a DTD from elsewhere": '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
    "many declarations": full("<!DOCTYPE xml [", '<!ENTITY a "b">', "]><xml/>"),
    "behind a comment": full("<!-- ", "x", " -->" + declaring(TENFOLD, "&e9;")),
    "behind a declaration": '<?xml version="1.0"?>' + declaring(TENFOLD, "&e9;"),
    "one that does not end": full("<!DOCTYPE xml [", "<!-- x -->"),
}
PLAIN = {
    "another encoding than it says": '<?xml version="1.0" encoding="utf-16"?>'
    + declaring(TENFOLD, "&e9;"),
    "deep": full("<xml>", "<a>"),
    "deep and closed": "<xml>" + "<a>" * 9000 + "</a>" * 9000 + "</xml>",
    "deep, within what is allowed": "<xml>" + "<a>" * 120 + "</a>" * 120 + "</xml>",
    "siblings": full("<xml>", "<a/>", "</xml>"),
    "siblings with text": full("<xml>", "<a>b</a>", "</xml>"),
    "siblings of other names": "<xml>" + "".join(f"<a{n}/>" for n in range(7000)) + "</xml>",
    "attributes": "<xml " + "".join(f'a{n}="" ' for n in range(6500)) + "/>",
    "an attribute twice": full("<xml ", 'a="" ', "/>"),
    "a long name": full("<", "a", "/>"),
    "a long text": full("<xml><error>", "0", "</error></xml>"),
    "a long amount": full("<xml><error>0</error><data><total_balance>", "9", "</total_balance>")
    + "<active_balance>1</active_balance></data></xml>",
    "references": full("<xml><error>", "&#48;", "</error></xml>"),
    "lines": full("<xml><error>", "\r\n", "</error></xml>"),
    "CDATA": full("<xml><error>", "<![CDATA[0]]>", "</error></xml>"),
    "comments": full("<xml>", "<!---->", "</xml>"),
    "instructions": full("<xml>", "<?a?>", "</xml>"),
    "name spaces": "<xml " + "".join(f'xmlns:a{n}="u" ' for n in range(3800)) + "/>",
    "undeclared entities": full("<xml>", "&a;", "</xml>"),
    "an unclosed tag": full("<xml ", " "),
    "an unclosed comment": full("<xml><!--", "- "),
}
#: For who raises `max_body_bytes`: what is counted first is not read at all.
LARGER = {
    "siblings, a mebibyte of them": "<xml>" + "<a/>" * (1 << 18) + "</xml>",
    "deep, a mebibyte": "<xml>" + "<a>" * (1 << 18),
}


def read(text):
    """The error, or None when the text was read as a balance."""
    try:
        read_reply(WIRE, 200, {"content-type": "application/xml"}, text.encode(), NOON)
    except AltcraftBalanceError as error:
        return error
    return None


def cost_of_reading(text):
    """The error, the CPU of the best of three in seconds, and the memory at its height."""
    seconds = []
    for _ in range(3):
        with cpu_noted(seconds):
            read(text)
    tracemalloc.start()
    try:
        error = read(text)
        return error, min(seconds), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_xml_bomb_costs_nothing(promise):
    """All of them are refused for next to nothing."""
    stated = promise(14, "an XML bomb costs nothing")
    wrong, largest, slowest = [], 0, 0
    bombs = DOCTYPES | PLAIN | LARGER
    for name, text in bombs.items():
        error, cpu_s, peak = cost_of_reading(text)
        largest, slowest = max(largest, peak), max(slowest, cpu_s)
        if type(error) is not UnexpectedReply or cpu_s > CPU_S or peak > BYTES:
            wrong.append(f"{name}: {error!r}, {cpu_s * 1000:.1f} ms, {peak} B")
    stated.came(
        tried=len(bombs),
        failed=len(wrong),
        figure=f"most {largest / 2**20:.1f} MiB and {slowest * 1000:.1f} ms of CPU",
        why="\n".join(wrong),
    )


def test_a_doctype_is_refused_before_it_is_read(promise, monkeypatch):
    """The parser that meets one has heard of no declaration, and reads no further."""
    stated = promise(14, "a DOCTYPE is refused before it is read")
    heard, wrong, real = [], [], xml._EXPAT.ParserCreate

    def listening(*args):
        parser = real(*args)
        for what in ("EntityDecl", "AttlistDecl", "ElementDecl", "StartElement", "EndDoctypeDecl"):
            setattr(parser, what + "Handler", lambda *_, what=what: heard.append(what))
        return parser

    monkeypatch.setattr(xml._EXPAT, "ParserCreate", listening)
    for name, text in DOCTYPES.items():
        heard.clear()
        error = read(text)
        unread = "DOCTYPE, which is refused unread", "more elements than any envelope"
        if not any(reason in str(error) for reason in unread) or heard:
            wrong.append(f"{name}: {error!r}, {heard[:3]}")
    stated.came(
        tried=len(DOCTYPES), failed=len(wrong), figure="0 declarations read", why="\n".join(wrong)
    )


@pytest.mark.parametrize("lane", LANES)
async def test_an_xml_bomb_is_asked_for_once(promise, lane):
    """Over a real connection each DOCTYPE is one request, and final."""
    stated = promise(14, f"a DOCTYPE is final, over {lane}")
    wrong = []
    for name, text in DOCTYPES.items():
        async with RawServer(answers(reply(text.encode()))) as server:
            async with client_of(lane, server.url, retry=PATIENT, format="xml") as client:
                error = await outcome_of(client)
            if error.transient or len(server.requests) != 1:
                wrong.append(f"{name}: {error!r}, {len(server.requests)} requests")
    stated.came(tried=len(DOCTYPES), failed=len(wrong), figure="one request", why="\n".join(wrong))
