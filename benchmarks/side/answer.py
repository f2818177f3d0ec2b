"""What every client asks, the one right answer, and the check that all of them make.

The server gives everybody the documented reply. Every lookup names another member, and its body is
built for it; of the reply the HTTP status, ``error`` and both amounts, as `Decimal`, are compared.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from attrs import frozen

TOKEN = "benchmark-token"
PROGRAM = 123
CURRENCY = "starts"
PATH = "/api/v1.1/loyalty/account/balance"
TOTAL, ACTIVE = Decimal("1000.00"), Decimal("800.50")
CONTENT_TYPES = {"json": "application/json", "xml": "application/xml"}
REPLIES = {
    "json": b'{"error":0,"error_text":"Successful operation",'
    b'"data":{"total_balance":"1000.00","active_balance":"800.50"}}',
    "xml": b"<xml><error>0</error><error_text>Successful operation</error_text>"
    b"<data><total_balance>1000.00</total_balance><active_balance>800.50</active_balance></data>"
    b"</xml>",
}


@frozen(kw_only=True)
class Target:
    """Where to ask, and how.

    Attributes:
        base_url: the server's address, without the method's path.
        format: ``json`` or ``xml``, of request and reply.
        at: lookups at once.
        ca_file: a PEM file with the authority to trust, or None on a plain connection.
    """

    base_url: str
    format: str
    at: int
    ca_file: str | None = None

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.base_url + PATH

    @property
    def headers(self) -> dict[str, str]:
        """What the documentation asks for."""
        content_type = CONTENT_TYPES[self.format]
        return {"Content-Type": content_type, "Accept": content_type}


class WrongAnswer(Exception):
    """A reply came, and it is not the right one."""


def members(first: int, count: int) -> list[str]:
    """Addresses; nobody has one of them."""
    return [f"member{number}@example.com" for number in range(first, first + count)]


def fields_of(member: str) -> dict[str, Any]:
    """The request's fields, in the reference page's order."""
    return {
        "token": TOKEN,
        "loyalty_program_id": PROGRAM,
        "points_currency_eid": CURRENCY,
        "matching": "email",
        "email": member,
    }


def xml_of(member: str) -> bytes:
    """The request in XML; no peer has a way of its own for that."""
    tags = (f"<{name}>{escape(str(value))}</{name}>" for name, value in fields_of(member).items())
    return f"<xml>{''.join(tags)}</xml>".encode()


def right(status: int, error: int, total: str | None, active: str | None) -> int:
    """1, for one answer that was checked.

    Raises:
        WrongAnswer: it is another one.
    """
    if status == 200 and error == 0 and Decimal(total) == TOTAL and Decimal(active) == ACTIVE:
        return 1
    raise WrongAnswer(f"HTTP {status}, error {error}, {total} and {active}")


def right_json(status: int, envelope: Mapping[str, Any]) -> int:
    """The check of a reply in JSON, parsed; as `right`."""
    data = envelope["data"]
    return right(status, envelope["error"], data["total_balance"], data["active_balance"])


def right_xml(status: int, body: bytes | str) -> int:
    """The check of a reply in XML; as `right`."""
    root = ET.fromstring(body)
    total, active = root.findtext("data/total_balance"), root.findtext("data/active_balance")
    return right(status, int(root.findtext("error", "1")), total, active)
