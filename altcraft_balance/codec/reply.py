"""A reply's status, headers and bytes to a `Balance` or an error.

Who decides, in this order: an envelope with an error, at any HTTP status; then a status outside
2xx; then a body that is no envelope. Application errors were seen with 200 and with 4xx, so the
status alone decides nothing. Nothing is ever read as a zero balance that did not say zero.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from json import dumps
from typing import Any, Final
from urllib.parse import quote, quote_plus

from altcraft_balance.codec import json, xml
from altcraft_balance.codec.amounts import read_amount
from altcraft_balance.codec.betrayal import betrays
from altcraft_balance.codec.envelope import BadEnvelope, Envelope, NotAnEnvelope, open_envelope
from altcraft_balance.codec.redacted import names_in, redacted_bytes, without_anybody
from altcraft_balance.codec.request import WireRequest
from altcraft_balance.codec.usual import usual_amounts
from altcraft_balance.errors import (
    API_ERRORS,
    AltcraftBalanceError,
    ApiError,
    HttpStatusError,
    NotAMember,
    RateLimited,
    RedirectRefused,
    UnexpectedReply,
)
from altcraft_balance.models import Balance
from altcraft_balance.secret import HIDDEN, HiddenBytes, redact

__all__ = ["read_reply", "read_usual"]

_BOM: Final = b"\xef\xbb\xbf"
_MAX_TEXT: Final = 500
_GO_ESCAPES: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&"})
_CODE_HINTS: Final = {
    401: "is the token right?",
    402: "the account's tariff allows no more",
    403: "may this token ask for this program?",
}
_HINTS: Final = {
    401: "the server wants another token or other credentials",
    404: "is base_url right, and is the platform v75 or newer?",
    407: "the proxy wants credentials",
}


def read_usual(
    wire: WireRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    looked_up_at: datetime,
) -> Balance | None:
    """What `read_reply` gives, if the reply is just as documented, a balance; None: ask it.

    Args:
        wire: the request that it answers.
        status: the HTTP status.
        headers: the reply's headers, asked for by lower-case names.
        body: the decoded body.
        looked_up_at: when the reply came (aware, UTC).
    """
    if not _is_success(status) or (amounts := usual_amounts(body)) is None:
        return None
    return _balance(wire, amounts, headers, looked_up_at)


def read_reply(
    wire: WireRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    looked_up_at: datetime,
    retry_after_s: float | None = None,
    not_a_member: Collection[int] = (),
) -> Balance:
    """The balance that the reply to `wire` holds.

    Args:
        wire: the request that it answers.
        status: the HTTP status.
        headers: the reply's headers, asked for by lower-case names.
        body: the decoded body.
        looked_up_at: when the reply came (aware, UTC).
        retry_after_s: what ``Retry-After`` said, in seconds, if it was there and readable.
        not_a_member: the codes by which this server says that the member is unknown.

    Raises:
        ApiError: the envelope says so; or one of its subclasses.
        RateLimited: HTTP 429, 503 with ``Retry-After``, or code 429.
        HttpStatusError: a status outside 2xx without an error in an envelope.
        UnexpectedReply: anything else that is not the documented envelope.
    """
    outcome = _understood(wire, status, headers, body, looked_up_at)
    if isinstance(outcome, Balance):
        return outcome
    body = HiddenBytes(body)  # the server may repeat the address, and frames show their locals
    if isinstance(outcome, Envelope) and outcome.code != 0:
        raise _api_error(wire, status, outcome, retry_after_s, not_a_member)
    if isinstance(outcome, Envelope) or not _is_success(status):
        raise _http_error(status, headers, retry_after_s)
    raise UnexpectedReply(
        f"the reply is not the documented envelope: {outcome} ({_described(wire, headers, body)})",
        transient=isinstance(outcome, NotAnEnvelope),
        status=status,
    )


def _understood(
    wire: WireRequest,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    looked_up_at: datetime,
) -> Balance | Envelope | NotAnEnvelope | BadEnvelope:
    """The balance, or the envelope that says why there is none, or what is wrong with the body.

    Troubles are values here, so that no parser's exception hangs on to the error that is raised.
    """
    try:
        envelope = _open(body)
        if envelope.code != 0 or not _is_success(status):
            return envelope
        return _balance(wire, _amounts(envelope), headers, looked_up_at)
    except (NotAnEnvelope, BadEnvelope) as trouble:
        return trouble.with_traceback(None)


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _open(body: bytes) -> Envelope:
    """Choose the parser by the first character: an XML request may be answered in JSON."""
    text = body.removeprefix(_BOM).lstrip(b" \t\r\n")
    if not text:
        raise NotAnEnvelope("it is empty")
    if text.startswith(b"{"):
        return open_envelope(json.read(text))
    if not text.startswith(b"<"):
        raise NotAnEnvelope("it is neither JSON nor XML")
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise NotAnEnvelope("it is an HTML page, as gateways send")
    return open_envelope(xml.read(text))


def _amounts(envelope: Envelope) -> tuple[Decimal, Decimal]:
    data = envelope.data
    if data is None:
        raise BadEnvelope("it reports success, but has no data")
    for name in ("total_balance", "active_balance"):
        if name not in data:
            raise BadEnvelope(f"it reports success, but its data has no {name}")
    return (
        read_amount(data["total_balance"], "total_balance"),
        read_amount(data["active_balance"], "active_balance"),
    )


def _balance(
    wire: WireRequest,
    amounts: tuple[Decimal, Decimal],
    headers: Mapping[str, str],
    looked_up_at: datetime,
) -> Balance:
    return Balance(
        total_balance=amounts[0],
        active_balance=amounts[1],
        currency=wire.currency,
        loyalty_program_id=wire.loyalty_program_id,
        looked_up_at=looked_up_at,
        possibly_stale=_is_duplicate(headers),
    )


def _is_duplicate(headers: Mapping[str, str]) -> bool:
    """Whether the platform marks the reply as one it gave to an earlier request."""
    now, before = headers.get("duplicate-request"), headers.get("x-duplicate-request")
    if now is None and before is None:
        return False
    return any(mark is not None and mark.strip().lower() in {"true", "1"} for mark in (now, before))


def _api_error(
    wire: WireRequest,
    status: int,
    envelope: Envelope,
    retry_after_s: float | None,
    not_a_member: Collection[int],
) -> AltcraftBalanceError:
    code, text = envelope.code, _cleaned(envelope.text, wire)
    message = f"the platform answered error {code}: {_one_line(text) or 'no text'} (HTTP {status})"
    if hint := _CODE_HINTS.get(code):
        message += f": {hint}"
    fields: dict[str, Any] = {"code": code, "text": text, "status": status}
    if code in not_a_member:
        return NotAMember(message, **fields)
    if 400 <= code <= 404:
        return API_ERRORS.get(code, ApiError)(message, **fields)
    if code == 429 or _is_throttled(status, retry_after_s):
        return RateLimited(message, retry_after_s=retry_after_s, **fields)
    transient = 500 <= code <= 599 or _is_transient(status)
    return ApiError(message, transient=transient, retry_after_s=retry_after_s, **fields)


def _http_error(
    status: int, headers: Mapping[str, str], retry_after_s: float | None
) -> AltcraftBalanceError:
    message = f"HTTP {status} without an envelope"
    if hint := _HINTS.get(status):
        message += f": {hint}"
    if 300 <= status < 400:
        return RedirectRefused(
            f"{message}: a redirect, which is never followed: correct base_url", status=status
        )
    if _is_throttled(status, retry_after_s):
        return RateLimited(message, status=status, retry_after_s=retry_after_s)
    return HttpStatusError(
        message, status=status, transient=_is_transient(status), retry_after_s=retry_after_s
    )


def _is_throttled(status: int, retry_after_s: float | None) -> bool:
    return status == 429 or (status == 503 and retry_after_s is not None)


def _is_transient(status: int) -> bool:
    return status == 408 or status >= 500


def _cleaned(text: str, wire: WireRequest) -> str:
    """The server's words without our secrets, and without anybody else's address."""
    return without_anybody(_without_values(text, wire))[:_MAX_TEXT]


def _without_values(text: str, wire: WireRequest) -> str:
    """The words without what was asked, in whatever spelling a server may echo it.

    A value is looked for as it is; where that was not enough, in the usual spellings; then in all
    that are known, which takes milliseconds; what can be read out even then costs the words.
    """
    values = {value.strip() for value in wire.hidden_values()}
    text = redact(text, values)[: 3 * _MAX_TEXT]  # not in the middle of what is to be taken out
    if not betrays(text, values):
        return text
    text = redact(text, {s for value in values for s in _spellings(value)})[: 2 * _MAX_TEXT]
    if not betrays(text, values):
        return text
    told = redacted_bytes(text.encode("utf-8", "surrogatepass"), values | names_in(values))
    text = told.decode("utf-8", "replace")
    return HIDDEN if betrays(text, values) else text


def _spellings(value: str) -> set[str]:
    escaped = {html.escape(value), html.escape(value, quote=False)}
    decimal = {text.replace("&#x27;", "&#39;").replace("&quot;", "&#34;") for text in escaped}
    quoted = {quote(value, safe=safe) for safe in ("", "/", "@+")}
    return {value, quote_plus(value)} | quoted | escaped | decimal | _in_json(value)


def _in_json(value: str) -> set[str]:
    """`value` in the JSON of Python, PHP and Go: a server may show the request's body."""
    written = {dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return written.union(
        *({text.replace("/", r"\/"), text.translate(_GO_ESCAPES)} for text in written)
    )


def _one_line(text: str) -> str:
    """`text` as it may stand in a log: no line breaks, escape codes or other control characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _described(wire: WireRequest, headers: Mapping[str, str], body: bytes) -> str:
    content_type = _one_line(_cleaned(headers.get("content-type", "no content type"), wire))[:80]
    return f"{content_type}, {len(body)} bytes"
