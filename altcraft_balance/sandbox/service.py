"""From a request's headers and body to the right answer: no sockets, no clock, no faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.models import BalanceQuery, Currency, Matching
from altcraft_balance.sandbox.manners import Manners
from altcraft_balance.sandbox.matching import Member, member_of
from altcraft_balance.sandbox.members import Amounts, Ledger, Scope
from altcraft_balance.sandbox.programs import (
    PointsCurrency,
    checked_programs,
    currency_id,
    pick,
)
from altcraft_balance.sandbox.replies import CONTENT_TYPES, Answer, Format, Refused, found
from altcraft_balance.sandbox.requests import (
    FIELDS,
    Lookup,
    body_format,
    fields_in,
    lookup_in,
    reply_format,
)

__all__ = ["Incoming", "Service"]

_UNKNOWN_MEMBER = Answer(404, "profile not found", case="unknown-member")
_NOBODYS = ".invalid"  # a name that exists nowhere (RFC 2606)


class Incoming(NamedTuple):
    """A request that was read: what it asks for, or why it is refused.

    Attributes:
        form: the format that the reply is due in.
        lookup: what is asked for; None when the request is not well-formed.
        refusal: why it is refused, when it is not well-formed.
    """

    form: Format
    lookup: Lookup | None
    refusal: Answer | None = None


class Service:
    """The platform's side of the method, apart from HTTP.

    Documented error codes stand for what they are documented for. The platform documents none for
    an unknown program, currency or member; here it is 400, 400, and 404 "profile not found".

    Attributes:
        ledger: who has how many points.
        asked: how often each member was asked for, in whatever program.
        manners: how another server answers what is documented nowhere.
    """

    def __init__(
        self,
        token: str,
        programs: Mapping[int, Sequence[PointsCurrency]],
        extra_fields: Collection[str],
    ) -> None:
        self._token = token
        self.manners = Manners()
        self._programs = checked_programs(programs)
        self._fields = FIELDS.union(extra_fields)
        self.ledger = Ledger(self._programs)
        self.asked: Counter[Member] = Counter()

    def read(self, content_type: str | None, accept: str | None, body: bytes) -> Incoming:
        """Read a request strictly; the member of a well-formed one counts as asked."""
        own, fields = body_format(content_type), None
        accept = self._accept(own, accept)
        try:
            fields = fields_in(body, own)
            lookup = lookup_in(fields, self._fields)
        except Refused as refused:
            return Incoming(reply_format(accept, fields, own), None, refused.answer)
        if own == "xml" and not self.manners.takes("xml"):
            refusal = Answer(400, "JSON is wanted", case="xml")
            return Incoming(reply_format(accept, fields, own), None, refusal)
        self.asked[lookup.member] += 1
        return Incoming(reply_format(accept, fields, own), lookup)

    def _accept(self, own: Format | None, accept: str | None) -> str | None:
        """What the reply is to be in, where the samples know better."""
        answers_in = self.manners.answers_xml_in
        return CONTENT_TYPES[answers_in] if own == "xml" and answers_in != "xml" else accept

    def answer(self, incoming: Incoming, authorization: str | None) -> Answer:
        """The right answer to a request that was read."""
        lookup = incoming.lookup
        if lookup is None:
            return incoming.refusal or _UNKNOWN_MEMBER
        if refusal := self._refused_token(lookup.token, authorization):
            return refusal
        if lookup.program not in self._programs:
            return Answer(400, "unknown loyalty program", case="unknown-program")
        if lookup.currency is None and not self.manners.takes("no-currency"):
            return Answer(400, "points currency required", case="no-currency")
        currency = self.currency_of(lookup)
        if currency is None:
            return Answer(400, "unknown points currency", case="unknown-currency")
        if not self.manners.takes("unknown-member") and _is_nobody(lookup.member):
            return _UNKNOWN_MEMBER
        amounts = self.ledger.amounts(lookup.program, currency, lookup.member)
        return _UNKNOWN_MEMBER if amounts is None else found(amounts)

    def currency_of(self, lookup: Lookup) -> PointsCurrency | None:
        """The currency that a lookup means; None if there is no such program or currency."""
        currencies = self._programs.get(lookup.program)
        return pick(currencies, lookup.currency) if currencies else None

    def _refused_token(self, token: str | None, authorization: str | None) -> Answer | None:
        takes = self.manners.takes
        if token is not None and not takes("body-token"):
            token = None
        if authorization is not None and not takes("header-token"):
            authorization = None
        if token is None and authorization is None:
            case = "header-token" if takes("body-token") else "body-token"
            return Answer(401, "token required", case=case)
        wrong = token is not None and token != self._token
        if authorization is not None:
            scheme, _, bearer = authorization.partition(" ")
            wrong = wrong or scheme.lower() != "bearer" or bearer.strip() != self._token
        return Answer(401, "wrong token") if wrong else None

    # ── the same, asked from inside ──────────────────────────────────────────────────────────

    def amounts_of(
        self,
        query: Matching | BalanceQuery,
        loyalty_program_id: int | None,
        currency: Currency | None,
    ) -> Amounts | None:
        """What the wire would say; a query's own program and currency come first."""
        member, scope = member_of(query), self.scope_of(query)
        program = scope.program or loyalty_program_id or next(iter(self._programs))
        name = scope.currency if scope.currency is not None else currency_id(currency)
        return self.ledger.amounts(program, self._existing(program, name), member)

    def scope_of(self, query: Matching | BalanceQuery) -> Scope:
        """What a setting made with this query applies to.

        Raises:
            ConfigurationError: the query names a program or a currency that does not exist.
        """
        if not isinstance(query, BalanceQuery):
            return Scope(None, None)
        scope = Scope(query.loyalty_program_id, currency_id(query.currency))
        if scope.program is not None:
            self._existing(scope.program, scope.currency)
        return scope

    def _existing(self, program: int, name: int | str | None) -> PointsCurrency:
        if program not in self._programs:
            known = ", ".join(map(str, self._programs))
            raise ConfigurationError(
                f"the sandbox has no loyalty program {program}: it has {known}"
            )
        currency = pick(self._programs[program], name)
        if currency is None:
            raise ConfigurationError(f"program {program} has no points currency {name!r}")
        return currency


def _is_nobody(member: Member) -> bool:
    """Whether the samples' unknown member stands for this one."""
    return any(isinstance(part, str) and part.lower().endswith(_NOBODYS) for part in member)
