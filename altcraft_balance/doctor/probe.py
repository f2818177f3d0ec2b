"""Asks a live server what the documentation does not say: at most 15 lookups, all of them reads.

Each question is one request beside the usual one; what comes back settles a row of the protocol's
notes that is inferred or unknown. What follows for a client is given as the variables to set.
"""

from __future__ import annotations

import asyncio
import statistics
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.doctor.asking import Asker, Seen, encoder_of
from altcraft_balance.doctor.examine import NOBODY
from altcraft_balance.doctor.keep_alive import idle_time
from altcraft_balance.errors import ApiError, AuthenticationError, HttpStatusError
from altcraft_balance.models import (
    Balance,
    BalanceQuery,
    ByEmail,
    ByPhone,
    Currency,
    CurrencyEid,
    Matching,
)

__all__ = ["MOST_LOOKUPS", "Fact", "Probe"]

MOST_LOOKUPS: Final = 15
_NO_PROGRAM: Final = 2_147_483_647
_NO_CURRENCY: Final = CurrencyEid("altcraft-balance-doctor")
#: Codes that say something else than that one member is not in the program.
_TAKEN_CODES: Final = frozenset({400, 401, 402, 403, 429})


@frozen(kw_only=True)
class Fact:
    """What one question has settled.

    Attributes:
        question: in a few words.
        answer: in one line.
        settings: variables to set, such as ``ALTCRAFT_AUTH=header``.
    """

    question: str
    answer: str
    settings: tuple[str, ...] = field(default=())


class Probe:
    """Asks one question after another.

    Args:
        asker: asks.
        matching: a member who is in the program; None: nobody is named, and what needs one is
            left out.
        keep: is given, in a thread, each reply to a case that a sandbox's samples know
            (`sandbox.manners.CASES`), under that name.
        wait_s: seconds that it is worth waiting for an idle connection's end.
    """

    def __init__(
        self,
        asker: Asker,
        matching: Matching | None = None,
        *,
        keep: Callable[[str, Seen], None] = lambda _case, _seen: None,
        wait_s: float = 20.0,
    ) -> None:
        self._wait_s = wait_s
        self._asker, self._matching, self._keep = asker, matching, keep
        self._auth = asker.settings.auth
        self._took_s: list[float] = []

    @property
    def _member(self) -> Matching:
        return self._matching or NOBODY

    async def facts(self) -> AsyncIterator[Fact]:
        """All that can be settled, one after another."""
        yield await self._token()
        yield await self._xml()
        yield await self._unknown_member()
        yield await self._unknown("unknown-program", "program", program=_NO_PROGRAM)
        yield await self._unknown("unknown-currency", "currency", currency=_NO_CURRENCY)
        if self._asker.settings.currency is not None:
            yield await self._no_currency()
        if isinstance(self._matching, ByEmail):
            yield await self._like("e-mail in capitals", ByEmail(self._matching.email.upper()))
        if isinstance(self._matching, ByPhone) and self._matching.phone.startswith("+"):
            yield await self._like("phone without +", ByPhone(self._matching.phone[1:]))
        yield await self._gzip()
        yield await self._duplicate()
        if self._asker.settings.proxy is None:
            yield await self._idle()
        yield self._latency()

    async def _ask(
        self,
        case: str = "",
        *,
        matching: Matching | None = None,
        program: int | None = None,
        currency: Currency | None = None,
        headers: dict[str, str] | None = None,
        bare: bool = False,
        **otherwise: Any,
    ) -> Seen:
        """Ask once; `bare` is without the currency that is the client's own."""
        told = {"auth": self._auth, **otherwise, **({"currency": None} if bare else {})}
        encoder = await encoder_of(self._asker.settings, **told)
        query = BalanceQuery(
            matching or self._member, loyalty_program_id=program, currency=currency
        )
        seen = await self._asker.ask(encoder.encode(query), headers)
        if case and seen.raw is not None:
            await asyncio.to_thread(self._keep, case, seen)
        if seen.raw is not None:
            self._took_s.append(seen.elapsed_s)
        return seen

    # ── the questions ────────────────────────────────────────────────────────────────────────

    async def _token(self) -> Fact:
        """Both places, and the one to use from here on."""
        works: list[str] = []
        for auth, case in (("body", "body-token"), ("header", "header-token")):
            if not _is_refused(await self._ask(case, auth=auth)):
                works.append(auth)
        question = "where the token goes"
        if not works:
            answer = "it is refused in the body and in the header: check it"
            return Fact(question=question, answer=answer)
        self._auth = "body" if "body" in works else "header"
        settings = () if self._auth == "body" else ("ALTCRAFT_AUTH=header",)
        answer = f"accepted in the {' and in the '.join(works)}"
        return Fact(question=question, answer=answer, settings=settings)

    async def _xml(self) -> Fact:
        seen = await self._ask("xml", format="xml")
        said = b"" if seen.raw is None else seen.raw.body.lstrip()[:1]
        written = {b"{": "in JSON", b"<": "in XML"}.get(said, "by something else")
        if isinstance(seen.error, ApiError | type(None)):
            return Fact(question="a request in XML", answer=f"answered {written}{_told(seen)}")
        answer = f"refused: {seen.error}; keep to JSON"
        return Fact(question="a request in XML", answer=answer, settings=("ALTCRAFT_FORMAT=json",))

    async def _unknown_member(self) -> Fact:
        seen = await self._ask("unknown-member", matching=NOBODY)
        question, error = "a member who does not exist", seen.error
        if error is None:
            return Fact(question=question, answer="has a balance, as anybody")
        answer = f"{_code(seen)}"
        code = getattr(error, "code", None)
        if isinstance(error, ApiError) and code not in _TAKEN_CODES:
            return Fact(
                question=question, answer=answer, settings=(f"ALTCRAFT_NOT_A_MEMBER={code}",)
            )
        if code == 400:
            answer += ", like every wrong request: it cannot be told from one"
        return Fact(question=question, answer=answer)

    async def _unknown(self, case: str, what: str, **asked: Any) -> Fact:
        seen = await self._ask(case, **asked)
        question = f"a {what} that does not exist"
        if seen.error is None:
            return Fact(question=question, answer="is answered with a balance: beware of slips")
        return Fact(question=question, answer=_code(seen))

    async def _no_currency(self) -> Fact:
        named = await self._ask()
        bare = await self._ask("no-currency", bare=True)
        question = "a request without a currency"
        if bare.error is not None:
            name = "ALTCRAFT_POINTS_CURRENCY_EID"
            answer = f"{_code(bare)}: name one"
            return Fact(question=question, answer=answer, settings=(f"{name}=...",))
        same = _same(named, bare)
        answer = f"answered with {'the same' if same else 'another'} balance"
        return Fact(question=question, answer=answer)

    async def _like(self, question: str, matching: Matching) -> Fact:
        usual, other = await self._ask(), await self._ask(matching=matching)
        if other.error is not None:
            return Fact(question=question, answer=f"is another member: {_code(other)}")
        same = _same(usual, other)
        return Fact(question=question, answer=f"is {'the same' if same else 'another'} member")

    async def _gzip(self) -> Fact:
        seen = await self._ask(headers={"Accept-Encoding": "gzip"})
        answer = f"sent as {seen.encoding}" if seen.encoding else "sent as it is"
        return Fact(question="gzip, when asked for", answer=answer)

    async def _duplicate(self) -> Fact:
        """Twice with one Request-ID, which a client of ours never does."""
        headers = {"Request-ID": uuid.uuid4().hex}
        await self._ask(headers=headers)
        seen = await self._ask(headers=headers)
        question = "a Request-ID that is known"
        if isinstance(seen.result, Balance) and seen.result.possibly_stale:
            answer = "the first reply is played again: never send one twice"
            return Fact(question=question, answer=answer)
        return Fact(question=question, answer="is answered anew")

    async def _idle(self) -> Fact:
        settings = self._asker.settings
        encoder = await encoder_of(settings, auth=self._auth)
        self._asker.asked += 1
        try:
            wire = encoder.encode(BalanceQuery(self._member))
            answer = await idle_time(settings, wire, wait_s=self._wait_s)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            answer = "not seen: the reply did not come whole"
        return Fact(question="an idle connection stays open for", answer=answer)

    def _latency(self) -> Fact:
        """The first request also connected, so it does not count."""
        usual_s = statistics.median(self._took_s[1:] or self._took_s or [0.0])
        rate = self._asker.settings.limits.rate_per_s
        wanted = float(rate) if isinstance(rate, int | float) else 1000.0
        slots = max(1, round(wanted * usual_s * 1.5))
        return Fact(
            question="how long a reply takes",
            answer=f"{usual_s * 1000:.0f} ms as a rule; {wanted:g} requests/s need {slots} slots",
            settings=(f"ALTCRAFT_CONCURRENCY={slots}",),
        )


def _is_refused(seen: Seen) -> bool:
    error = seen.error
    if isinstance(error, HttpStatusError):
        return error.status in {401, 403}
    return isinstance(error, AuthenticationError)


def _told(seen: Seen) -> str:
    return "" if seen.error is None else f", with {_code(seen)}"


def _code(seen: Seen) -> str:
    """What a refusal is made of: code and HTTP status."""
    if seen.raw is None:
        return f"no reply: {seen.error}"
    code = getattr(seen.error, "code", None)
    status = f"HTTP {seen.raw.status}"
    return f"no envelope, {status}" if code is None else f"error {code} with {status}"


def _same(one: Seen, other: Seen) -> bool:
    first, second = one.result, other.result
    if not (isinstance(first, Balance) and isinstance(second, Balance)):
        return False
    return (first.total_balance, first.active_balance) == (
        second.total_balance,
        second.active_balance,
    )
