"""What is asked and what is answered: matchings, currencies, queries, balances, outcomes.

All are frozen and checked where they are built, so a value that exists is one that can be sent.
A member's address is data: it pickles and it is in ``asdict``, but no ``repr`` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from altcraft_balance.errors import AltcraftBalanceError, InvalidQuery
from altcraft_balance.fields import (
    Fields,
    FieldValue,
    by_check,
    checked_id,
    checked_key,
)
from altcraft_balance.matchings import (
    MATCHINGS,
    ByCustomField,
    ByEmail,
    ByPhone,
    ByProfileId,
    Matching,
    RawMatching,
    refuse_ours,
)
from altcraft_balance.secret import HIDDEN
from altcraft_balance.unseen import unseen

__all__ = [
    "Balance",
    "BalanceQuery",
    "ByCustomField",
    "ByEmail",
    "ByPhone",
    "ByProfileId",
    "Currency",
    "CurrencyEid",
    "CurrencyIid",
    "Failed",
    "Found",
    "Matching",
    "Outcome",
    "RawMatching",
]

# ── which points ─────────────────────────────────────────────────────────────────────────────


@frozen
class CurrencyIid:
    """A points currency by its internal id."""

    iid: int = field(validator=by_check(checked_id, "the currency's internal id"))


@frozen
class CurrencyEid:
    """A points currency by its external id."""

    eid: str = field(validator=by_check(checked_key, "the currency's external id"))


Currency: TypeAlias = CurrencyIid | CurrencyEid


# ── one lookup ───────────────────────────────────────────────────────────────────────────────


_EXACT_MATCHINGS: Final = frozenset(MATCHINGS)


def _check_matching(value: Any) -> None:
    if isinstance(value, str):
        raise InvalidQuery(
            "a plain text is no matching: write ByEmail(...), or give a batch by=ByEmail"
        )
    if not isinstance(value, MATCHINGS):
        raise InvalidQuery(f"matching must be ByEmail(...) or so, not {type(value).__name__}")


def _check_currency(value: Any) -> None:
    if not isinstance(value, CurrencyIid | CurrencyEid):
        raise InvalidQuery(
            f"currency must be CurrencyIid(...) or CurrencyEid(...), not {type(value).__name__}"
        )


def _extra(value: Mapping[str, FieldValue] | None) -> Fields | None:
    return None if value is None else Fields(value)


@unseen
@frozen(repr=False)
class BalanceQuery:
    """One lookup; what is None comes from the client.

    Attributes:
        matching: how the member is found.
        loyalty_program_id: the loyalty program's id (not the ``loyalty_id`` of promo codes).
        currency: which points currency.
        extra: further fields for the request; may not name one that is sent already.
        tag: the caller's own; not in equality, hash or ``repr``.

    Raises:
        InvalidQuery: a value that cannot be sent; the sentence says which and why.
    """

    matching: Matching
    loyalty_program_id: int | None = field(default=None, kw_only=True)
    currency: Currency | None = field(default=None, kw_only=True)
    extra: Fields | None = field(default=None, converter=_extra, kw_only=True)
    tag: Any = field(default=None, eq=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        # In one place and not by a validator each: a batch makes one of these for every item.
        if type(self.matching) not in _EXACT_MATCHINGS:
            _check_matching(self.matching)
        if self.loyalty_program_id is not None:
            checked_id(self.loyalty_program_id, "loyalty_program_id")
        if self.currency is not None:
            _check_currency(self.currency)
        if self.extra is not None:
            refuse_ours(self.extra, "extra")

    def __repr__(self) -> str:
        # Also of one that a bad value left half made: a traceback with locals asks for it.
        shown = {name: getattr(self, name, None) for name in ("loyalty_program_id", "currency")}
        rest = "".join(f", {name}={value!r}" for name, value in shown.items())
        matching = self.matching if isinstance(self.matching, MATCHINGS) else None
        extra = HIDDEN if getattr(self, "extra", None) else None
        return f"BalanceQuery(matching={matching!r}{rest}, extra={extra})"


@frozen(kw_only=True)
class Balance:
    """What the platform answered.

    Attributes:
        total_balance: all points of the account.
        active_balance: points that can be spent now; not promised to be less than the total.
        currency: the currency that was asked for; the reply does not name one.
        loyalty_program_id: the program that was asked for.
        looked_up_at: when the reply came (aware, UTC).
        possibly_stale: the server marked the reply as a repetition of an earlier one.
    """

    total_balance: Decimal
    active_balance: Decimal
    currency: Currency | None = None
    loyalty_program_id: int
    looked_up_at: datetime
    possibly_stale: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: amounts as text without an exponent, the time in ISO 8601."""
        currency: dict[str, Any] | None = None
        if isinstance(self.currency, CurrencyIid):
            currency = {"iid": self.currency.iid}
        elif self.currency is not None:
            currency = {"eid": self.currency.eid}
        return {
            "total_balance": format(self.total_balance, "f"),
            "active_balance": format(self.active_balance, "f"),
            "currency": currency,
            "loyalty_program_id": self.loyalty_program_id,
            "looked_up_at": self.looked_up_at.isoformat(),
            "possibly_stale": self.possibly_stale,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Balance:
        """The balance that `as_dict` gave.

        Raises:
            ValueError: a field is missing or is not what `as_dict` writes.
        """
        try:
            return cls(
                total_balance=_amount_from(fields["total_balance"]),
                active_balance=_amount_from(fields["active_balance"]),
                currency=_currency_from(fields["currency"]),
                loyalty_program_id=fields["loyalty_program_id"],
                looked_up_at=datetime.fromisoformat(fields["looked_up_at"]),
                possibly_stale=fields["possibly_stale"],
            )
        except (KeyError, TypeError, InvalidOperation) as error:
            trouble = f"{type(error).__name__}: {error}"
        raise ValueError(f"not what Balance.as_dict() gives: {trouble}")


def _amount_from(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise TypeError("an amount must be text, since a float would damage it")
    amount = Decimal(value)
    if not amount.is_finite():
        raise TypeError("an amount must be a finite number")
    return amount


def _currency_from(value: Mapping[str, Any] | None) -> Currency | None:
    if value is None:
        return None
    return CurrencyIid(value["iid"]) if "iid" in value else CurrencyEid(value["eid"])


# ── one item of a batch ──────────────────────────────────────────────────────────────────────


@frozen(kw_only=True)
class _Item:
    query: BalanceQuery
    index: int
    attempts: int = 0
    requests: int = 0
    elapsed_s: float = 0.0


@frozen(kw_only=True)
class Found(_Item):
    """A lookup of a batch that gave a balance.

    Attributes:
        query: what was asked.
        index: its place in the source, from 0.
        balance: the answer.
        attempts: attempts that count against ``max_attempts``.
        requests: all that was sent for it, throttled answers, free repeats and tests of a server
            that was down included.
        elapsed_s: seconds from when the item was taken from the source, waits included.
    """

    balance: Balance


@frozen(kw_only=True)
class Failed(_Item):
    """A lookup of a batch that failed; `error` says why, the rest is as in `Found`."""

    error: AltcraftBalanceError


Outcome: TypeAlias = Found | Failed
