"""The bytes of replies: the envelope in both formats, HTTP around it, a gateway's pages.

Everything is put together from literal bytes, since "exact to the byte" is the promise. There is
no ``Date``: to RFC 9110, 6.6.1 the sandbox is a server without a clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

__all__ = [
    "CONTENT_TYPES",
    "GATEWAY_PAGE",
    "INCORRECT",
    "INTERNAL",
    "OTHER",
    "Answer",
    "Format",
    "Refused",
    "body_of",
    "found",
    "http",
    "page",
]

Format: TypeAlias = Literal["json", "xml"]
CONTENT_TYPES: Final[dict[Format, str]] = {"json": "application/json", "xml": "application/xml"}
OTHER: Final[dict[Format, Format]] = {"json": "xml", "xml": "json"}

_JSON_FOUND = (
    '{"error":0,"error_text":"Successful operation",'
    '"data":{"total_balance":"%s","active_balance":"%s"}}'
)
_XML_FOUND = (
    "<xml><error>0</error><error_text>Successful operation</error_text>"
    "<data><total_balance>%s</total_balance><active_balance>%s</active_balance></data></xml>"
)
_FOUND: Final[dict[Format, str]] = {"json": _JSON_FOUND, "xml": _XML_FOUND}

GATEWAY_PAGE: Final = (
    b"<!DOCTYPE html>\n<html><head><title>Gateway</title></head>"
    b"<body><h1>Please try again later</h1></body></html>\n"
)


class Answer(NamedTuple):
    """What the envelope says, before it is written in a format.

    Attributes:
        code: 0 for success, else the error code; documented are 400, 401, 402 and 403.
        text: the error's text.
        amounts: total and active balance as they stand on the wire.
        case: which of the samples shows how another server says it; "" for none.
    """

    code: int
    text: str = ""
    amounts: tuple[str, str] | None = None
    case: str = ""

    @property
    def outcome(self) -> str:
        """Under what name it is counted: ``ok``, ``error_400`` and so on."""
        return f"error_{self.code}" if self.code else "ok"


INTERNAL: Final = Answer(500, "Internal error")
INCORRECT: Final = Answer(400, "Incorrect request")


class Refused(Exception):
    """The request gets an error envelope; `answer` is what stands in it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(code, text)


def found(amounts: tuple[str, str]) -> Answer:
    """The answer for a member with these amounts."""
    return Answer(0, "", amounts)


def body_of(answer: Answer, form: Format) -> bytes:
    """The envelope in `form`, as on the platform's reference page, to the byte."""
    if answer.amounts is not None:
        return (_FOUND[form] % answer.amounts).encode()
    if form == "json":
        fields = {"error": answer.code, "error_text": answer.text}
        return json.dumps(fields, separators=(",", ":")).encode()
    text = escape(answer.text)
    return f"<xml><error>{answer.code}</error><error_text>{text}</error_text></xml>".encode()


def http(
    status: int,
    body: bytes,
    content_type: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    close: bool = False,
    length: int | None = None,
) -> bytes:
    """A whole HTTP/1.1 reply.

    Args:
        status: the HTTP status.
        body: what follows the head.
        content_type: the header's value; "" for no such header.
        headers: further headers.
        close: announce that the connection ends here.
        length: a ``Content-Length`` other than the body's own; -1 for no such header.
    """
    lines = ["HTTP/1.1 200 OK" if status == 200 else f"HTTP/1.1 {status} {_reason(status)}"]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines.extend(f"{name}: {value}" for name, value in headers)
    if length != -1:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    if close:
        lines.append("Connection: close")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1") + body


def page(
    status: int, *, retry_after_s: int | None = None, markup: bool = False, close: bool = False
) -> bytes:
    """What a gateway sends in the platform's place: no envelope, plain text or HTML."""
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    if markup:
        return http(status, GATEWAY_PAGE, "text/html", headers=headers, close=close)
    text = f"{status} {_reason(status)}\n".encode()
    return http(status, text, "text/plain", headers=headers, close=close)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
