"""Asks a live server what the documentation does not say: at most 15 lookups, all of them reads.

Each question is one request beside the usual one; what comes back settles a row of the protocol's
notes that is inferred or unknown. What follows for a client is given as the variables to set.
"""

from __future__ import annotations

import asyncio
import functools
import math
import statistics
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.codec.request import WireRequest
from altcraft_balance.doctor.asking import Asker, Seen, encoder_of
from altcraft_balance.doctor.examine import NOBODY
from altcraft_balance.doctor.keep_alive import idle_time
from altcraft_balance.doctor.network import proxy_of
from altcraft_balance.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    HttpStatusError,
)
from altcraft_balance.models import (
    Balance,
    BalanceQuery,
    ByEmail,
    ByPhone,
    Currency,
    CurrencyEid,
    Matching,
)
from altcraft_balance.settings import Auth, Limits

__all__ = ["MOST_LOOKUPS", "Fact", "Probe"]

MOST_LOOKUPS: Final = 15
#: The last ones are for the questions that follow: no repeat takes them.
_KEPT: Final = 2
_TRIES: Final = 3
_LONGEST_S: Final = 10.0
_TOKEN: Final = "where the token goes"  # noqa: S105 - of the table
_XML: Final = "a request in XML"
_MEMBER: Final = "a member who does not exist"
_BARE: Final = "a request without a currency"
_GZIP: Final = "gzip, when asked for"
_KNOWN_ID: Final = "a Request-ID that is known"
_IDLE: Final = "an idle connection stays open for"
_TIME: Final = "how long a reply takes"
_PLACES: Final[dict[Auth, str]] = {"body": "body-token", "header": "header-token"}
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
        pause_s: seconds before a question is repeated, where the server names no other.
    """

    def __init__(
        self,
        asker: Asker,
        matching: Matching | None = None,
        *,
        keep: Callable[[str, Seen], None] = lambda _case, _seen: None,
        wait_s: float = 20.0,
        pause_s: float = 1.0,
    ) -> None:
        self._wait_s, self._pause_s = wait_s, pause_s
        self._asker, self._matching, self._keep = asker, matching, keep
        self._auth = asker.settings.auth
        self._took_s: list[float] = []
        self._is_known = False
        #: What it was that did not exist, by the code that said so.
        self._others: dict[int, str] = {}

    @property
    def _member(self) -> Matching:
        return self._matching or NOBODY

    async def facts(self) -> AsyncIterator[Fact]:
        """All that can be settled, one after another; what cannot says so, and sets nothing."""
        for question, ask in self._questions():
            try:
                yield await ask()
            except _NotSettled as why:
                yield Fact(question=question, answer=f"not settled: {why}")
        yield self._latency()

    def _questions(self) -> Iterator[tuple[str, Callable[[], Awaitable[Fact]]]]:
        yield _TOKEN, self._token
        yield _XML, self._xml
        # First, since the code of an unknown member may be theirs as well.
        for what, asked in (
            ("program", {"program": _NO_PROGRAM}),
            ("currency", {"currency": _NO_CURRENCY}),
        ):
            yield _not_there(what), functools.partial(self._unknown, what, **asked)
        yield _MEMBER, self._unknown_member
        if self._asker.settings.currency is not None:
            yield _BARE, self._no_currency
        if isinstance(self._matching, ByEmail):
            other = ByEmail(_in_other_case(self._matching.email))
            name = "e-mail in capitals" if other.email.isupper() else "e-mail in small letters"
            yield name, functools.partial(self._like, name, other)
        if isinstance(self._matching, ByPhone) and self._matching.phone.startswith("+"):
            name, bare = "phone without +", ByPhone(self._matching.phone[1:])
            yield name, functools.partial(self._like, name, bare)
        yield _GZIP, self._gzip
        yield _KNOWN_ID, self._duplicate
        if proxy_of(self._asker.settings) is None:
            yield _IDLE, self._idle

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
        seen = await self._settled(encoder.encode(query), headers)
        if case and seen.raw is not None:
            await asyncio.to_thread(self._keep, case, seen)
        if seen.raw is not None:
            self._took_s.append(seen.elapsed_s)
        return seen

    async def _settled(self, wire: WireRequest, headers: dict[str, str] | None) -> Seen:
        """A reply that a repeat would not change; a server that asks for a pause gets one.

        Raises:
            _NotSettled: there is none.
        """
        rate = self._asker.settings.limits.rate_per_s
        tried = 0
        while True:
            self._check_left(_KEPT if tried else 0)
            if isinstance(rate, int | float):
                await asyncio.sleep(1 / rate)
            seen = await self._asker.ask(wire, headers)
            if seen.error is None or not seen.error.transient:
                return seen
            tried += 1
            if tried == _TRIES:
                raise _NotSettled(_code(seen))
            await asyncio.sleep(min(seen.error.retry_after_s or self._pause_s, _LONGEST_S))

    def _check_left(self, keep: int = 0) -> None:
        if self._asker.asked + keep >= MOST_LOOKUPS:
            raise _NotSettled(f"the {MOST_LOOKUPS} lookups are used up")

    # ── the questions ────────────────────────────────────────────────────────────────────────

    async def _token(self) -> Fact:
        """Both places, and the one to use from here on."""
        came: dict[Auth, Seen] = {}
        cannot: list[str] = []
        for auth, case in _PLACES.items():
            try:
                came[auth] = await self._ask(case, auth=auth)
            except ConfigurationError as error:
                cannot.append(f"; in the {auth}: {error}")
        works = [auth for auth, seen in came.items() if _is_accepted(seen)]
        if not works:
            if all(_is_refused(seen) for seen in came.values()):
                answer = "it is refused in the body and in the header: check it"
                return Fact(question=_TOKEN, answer=answer)
            codes = " and ".join(f"{_code(seen)} in the {auth}" for auth, seen in came.items())
            raise _NotSettled(f"{codes}; name a member who is in the program")
        self._auth = "body" if "body" in works else "header"
        self._is_known = True
        settings = () if self._auth == "body" else ("ALTCRAFT_AUTH=header",)
        answer = f"accepted in the {' and in the '.join(works)}{''.join(cannot)}"
        return Fact(question=_TOKEN, answer=answer, settings=settings)

    async def _xml(self) -> Fact:
        if not self._is_known:
            raise _NotSettled("no request was accepted")
        seen = await self._ask("xml", format="xml")
        said = b"" if seen.raw is None else seen.raw.body.lstrip()[:1]
        written = {b"{": "in JSON", b"<": "in XML"}.get(said, "by something else")
        if isinstance(seen.error, ApiError | type(None)):
            return Fact(question=_XML, answer=f"answered {written}{_told(seen)}")
        answer = f"refused: {seen.error}; keep to JSON"
        return Fact(question=_XML, answer=answer, settings=("ALTCRAFT_FORMAT=json",))

    async def _unknown_member(self) -> Fact:
        seen = await self._ask("unknown-member", matching=NOBODY)
        error = seen.error
        if error is None:
            return Fact(question=_MEMBER, answer="has a balance, as anybody")
        answer, code = _code(seen), getattr(error, "code", None)
        if isinstance(error, ApiError) and code in self._others:
            answer += f", as for a {self._others[code]} that does not exist: a slip would look so"
        elif code == 400:
            answer += ", like every wrong request: it cannot be told from one"
        elif isinstance(error, ApiError) and code not in _TAKEN_CODES:
            settings = (f"ALTCRAFT_NOT_A_MEMBER={code}",)
            return Fact(question=_MEMBER, answer=answer, settings=settings)
        return Fact(question=_MEMBER, answer=answer)

    async def _unknown(self, what: str, **asked: Any) -> Fact:
        seen = await self._ask(f"unknown-{what}", **asked)
        question, error = _not_there(what), seen.error
        if error is None:
            return Fact(question=question, answer="is answered with a balance: beware of slips")
        if isinstance(error, ApiError):
            self._others[error.code] = what
        return Fact(question=question, answer=_code(seen))

    async def _no_currency(self) -> Fact:
        named = _with_balance(await self._ask())
        bare = await self._ask("no-currency", bare=True)
        question = _BARE
        if bare.error is not None:
            return Fact(question=question, answer=f"{_code(bare)}: name one, as you do")
        same = _same(named, bare)
        answer = f"answered with {'the same' if same else 'another'} balance"
        return Fact(question=question, answer=answer)

    async def _like(self, question: str, matching: Matching) -> Fact:
        usual = _with_balance(await self._ask())
        other = await self._ask(matching=matching)
        if other.error is not None:
            return Fact(question=question, answer=f"is another member: {_code(other)}")
        if _is_nothing(usual):
            raise _NotSettled("the balance is 0, as that of many")
        same = _same(usual, other)
        return Fact(question=question, answer=f"has {'the same' if same else 'another'} balance")

    async def _gzip(self) -> Fact:
        seen = await self._ask(headers={"Accept-Encoding": "gzip"})
        answer = f"sent as {seen.encoding}" if seen.encoding else "sent as it is"
        return Fact(question=_GZIP, answer=answer)

    async def _duplicate(self) -> Fact:
        """Twice with one Request-ID, which a client of ours never does."""
        headers = {"Request-ID": uuid.uuid4().hex}
        _with_balance(await self._ask(headers=headers))
        seen = _with_balance(await self._ask(headers=headers))
        question = _KNOWN_ID
        if isinstance(seen.result, Balance) and seen.result.possibly_stale:
            answer = "the first reply is played again: never send one twice"
            return Fact(question=question, answer=answer)
        return Fact(question=question, answer="is answered anew")

    async def _idle(self) -> Fact:
        settings = self._asker.settings
        encoder = await encoder_of(settings, auth=self._auth)
        self._check_left()
        self._asker.asked += 1
        try:
            wire = encoder.encode(BalanceQuery(self._member))
            answer = await idle_time(settings, wire, wait_s=self._wait_s)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            answer = "not seen: the reply did not come whole"
        return Fact(question=_IDLE, answer=answer)

    def _latency(self) -> Fact:
        """The first request also connected, so it does not count."""
        if not self._took_s:
            return Fact(question=_TIME, answer="not settled: there was no reply")
        usual_s = statistics.median(self._took_s[1:] or self._took_s)
        answer, rate = f"{usual_s * 1000:.0f} ms as a rule", self._asker.settings.limits.rate_per_s
        if not isinstance(rate, int | float):
            return Fact(question=_TIME, answer=answer)
        slots = max(Limits().concurrency, math.ceil(rate * usual_s * 1.5))
        answer += f"; {rate:g} requests/s need no more than {slots} slots"
        return Fact(question=_TIME, answer=answer, settings=(f"ALTCRAFT_CONCURRENCY={slots}",))


class _NotSettled(Exception):
    """A question has no answer that one could go by."""


def _with_balance(seen: Seen) -> Seen:
    """A reply that something can be compared with.

    Raises:
        _NotSettled: it has no balance.
    """
    if seen.error is not None:
        raise _NotSettled(f"{_code(seen)}; name a member who is in the program")
    return seen


def _not_there(what: str) -> str:
    return f"a {what} that does not exist"


def _in_other_case(email: str) -> str:
    return email.lower() if email.isupper() else email.upper()


def _is_nothing(seen: Seen) -> bool:
    return isinstance(seen.result, Balance) and not seen.result.total_balance


def _is_accepted(seen: Seen) -> bool:
    """A balance, or what a server says of a member only to whom it knows."""
    error = seen.error
    return error is None or (isinstance(error, ApiError) and error.code not in _TAKEN_CODES)


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
