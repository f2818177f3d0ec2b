"""The wire request: built once per lookup as an immutable value, resent as it is.

What is the same for every lookup (token, program, currency, headers) is encoded once; a lookup
adds only its member's fields. Order of fields as on the reference page.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Final

from attrs import define, field

from altcraft_balance.codec import json, xml
from altcraft_balance.errors import ConfigurationError, InvalidQuery
from altcraft_balance.fields import FieldValue
from altcraft_balance.models import (
    BalanceQuery,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Currency,
    CurrencyIid,
    Matching,
)
from altcraft_balance.secret import HIDDEN, HiddenBytes, HiddenStr
from altcraft_balance.settings import Auth, Format

__all__ = ["RequestEncoder", "WireRequest", "member_fields"]

_SYNTAX: Final[dict[str, ModuleType]] = {"json": json, "xml": xml}
_MAX_HEADS: Final = 256


@define(eq=False)
class WireRequest:
    """What goes over the wire for one lookup, and what it asked for; nobody changes it.

    It is not frozen all the same: one is made for every lookup, and that would treble its price.

    Attributes:
        body: the request's body.
        headers: the headers that every attempt has; an attempt's own go beside them.
        query: the query it was built from.
        loyalty_program_id: the program that is asked, the client's when the query has none.
        currency: the currency that is asked for, likewise.
        token: the token it carries, so that an error's text can be cleaned of it.
    """

    body: HiddenBytes = field(repr=lambda _: HIDDEN)
    headers: Mapping[str, str] = field(repr=lambda _: HIDDEN)
    query: BalanceQuery
    loyalty_program_id: int
    currency: Currency | None
    token: HiddenStr = field(repr=lambda _: HIDDEN)

    def hidden_values(self) -> tuple[str, ...]:
        """What no text shown to anybody may have in it: the token and the member's address."""
        fields = member_fields(self.query.matching)
        named = {"matching", "field_name"}
        values = [str(value) for name, value in fields.items() if name not in named]
        values += [str(value) for value in (self.query.extra or {}).values()]
        return (self.token, *values)


class RequestEncoder:
    """Builds the wire requests of one client and one token.

    Args:
        token: goes into the body, the ``Authorization`` header or both, as `auth` says.
        loyalty_program_id: what a query without a program asks.
        currency: what a query without a currency asks for.
        format: ``json`` or ``xml``.
        auth: ``body``, ``header`` or ``both``.
        headers: further headers of every request.

    Raises:
        ConfigurationError: the token cannot travel in a header.
    """

    def __init__(
        self,
        token: HiddenStr,
        *,
        loyalty_program_id: int | None = None,
        currency: Currency | None = None,
        format: Format = "json",  # noqa: A002 - the name of the setting
        auth: Auth = "body",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.token = token
        self._program, self._currency = loyalty_program_id, currency
        self._syntax = _SYNTAX[format]
        self._in_body = auth != "header"
        self._headers = _headers(token, self._syntax.CONTENT_TYPE, auth, headers)
        self._write, self._close = self._syntax.write, self._syntax.CLOSE
        self._heads: dict[tuple[int, Currency | None], HiddenBytes] = {}
        self._last_program, self._last_currency = 0, currency
        self._last_head = HiddenBytes()

    def encode(self, query: BalanceQuery) -> WireRequest:
        """The request for `query`.

        Raises:
            InvalidQuery: neither the query nor the client has a program, or an extra field
                names one that is sent already.
        """
        program = query.loyalty_program_id or self._program
        if program is None:
            raise InvalidQuery("no loyalty_program_id: give one to the client or to the query")
        currency = query.currency or self._currency
        fields = member_fields(query.matching)
        if query.extra is not None:
            fields = _with_extra(fields, query.extra)
        body = HiddenBytes(self._head(program, currency) + self._write(fields) + self._close)
        return WireRequest(body, self._headers, query, program, currency, self.token)

    def _head(self, program: int, currency: Currency | None) -> HiddenBytes:
        """What comes before the member's fields; the last one is kept apart, as nearly all have it.

        Currencies are equal by their fields, which takes a hash in Python.
        """
        if program != self._last_program or currency is not self._last_currency:
            known = self._heads.get((program, currency))
            self._last_head = known or self._new_head(program, currency)
            self._last_program, self._last_currency = program, currency
        return self._last_head

    def _new_head(self, program: int, currency: Currency | None) -> HiddenBytes:
        fields: dict[str, FieldValue] = {"token": self.token} if self._in_body else {}
        fields["loyalty_program_id"] = program
        if isinstance(currency, CurrencyIid):
            fields["points_currency_iid"] = currency.iid
        elif currency is not None:
            fields["points_currency_eid"] = currency.eid
        syntax = self._syntax
        head = HiddenBytes(syntax.OPEN + syntax.write(fields) + syntax.SEPARATOR)
        if len(self._heads) >= _MAX_HEADS:  # a query may bring any program: forget, don't grow
            self._heads.clear()
        self._heads[program, currency] = head
        return head


def member_fields(matching: Matching) -> Mapping[str, FieldValue]:
    """The fields that say how the member is found, in the reference page's order."""
    match matching:
        case ByEmail(email=email):
            return {"matching": "email", "email": email}
        case ByPhone(phone=phone):
            return {"matching": "phone", "phone": phone}
        case ByProfileId(profile_id=profile_id):
            return {"matching": "profile_id", "profile_id": profile_id}
        case ByCustomField(name=name, value=value):
            return {"matching": "custom", "field_name": name, "field_value": value}
        case _:
            return matching.fields


def _with_extra(
    fields: Mapping[str, FieldValue], extra: Mapping[str, FieldValue]
) -> Mapping[str, FieldValue]:
    if taken := fields.keys() & extra.keys():
        raise InvalidQuery(f"extra may not name {min(taken)!r}: the matching sends that field")
    return {**fields, **extra}


def _headers(
    token: HiddenStr, content_type: str, auth: Auth, further: Mapping[str, str]
) -> Mapping[str, str]:
    headers = {**further, "Content-Type": content_type, "Accept": content_type}
    if auth != "body":
        if not token.isascii():
            raise ConfigurationError("a token that is not ASCII cannot travel in a header")
        headers["Authorization"] = HiddenStr(f"Bearer {token}")
    return MappingProxyType(headers)
