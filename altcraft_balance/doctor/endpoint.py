"""One lookup, and what its reply says of the endpoint, the token, the points and the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from attrs import evolve

from altcraft_balance.doctor.asking import Seen, asking, encoder_of
from altcraft_balance.doctor.finding import Finding, skipped
from altcraft_balance.doctor.network import speaks_tls
from altcraft_balance.errors import (
    AccessDenied,
    AltcraftBalanceError,
    ApiError,
    AttemptTimeout,
    AuthenticationError,
    BadRequest,
    HttpStatusError,
    NotAMember,
    RateLimited,
    RedirectRefused,
    TariffLimitReached,
    TlsRefused,
    UnexpectedReply,
)
from altcraft_balance.models import Balance, BalanceQuery, Matching
from altcraft_balance.settings import ClientSettings

__all__ = ["check_clock", "check_endpoint", "explained"]

_LONG_S: Final = 60.0
_REFUSED_ADVICE: Final = (
    "check the API token (ALTCRAFT_TOKEN, or --token-file); the server may also want it "
    "elsewhere: --auth header"
)
_TLS_ADVICE: Final = "the server speaks TLS on that port: write https:// in --base-url"
_BARE_ADVICE: Final = (
    "a gateway or a firewall may have sent it, and the token be right: ask whoever runs it "
    "whether this machine's address is let in; check --base-url, its path prefix too"
)
_POINTS_ADVICE: Final = (
    "check --program and --currency-eid or --currency-iid: ids of the loyalty program and of its "
    "points currency, as the account's panel shows them"
)


async def check_endpoint(settings: ClientSettings, matching: Matching) -> AsyncIterator[Finding]:
    """Ask once for one member, and say what the reply means."""
    encoder = await encoder_of(settings)
    async with asking(settings) as asker:
        seen = await asker.ask(encoder.encode(BalanceQuery(matching)))
    for finding in explained(seen, settings):
        if finding.state == "failed" and finding.check == "endpoint" and await speaks_tls(settings):
            finding = evolve(finding, advice=_TLS_ADVICE)
        yield finding
    yield check_clock(seen)


def explained(seen: Seen, settings: ClientSettings) -> list[Finding]:
    """What one reply says of the endpoint, the token, and program and currency."""
    result = seen.result
    if isinstance(result, Balance):
        return [_answered(seen), _accepted(), _known(settings, "; the member has a balance")]
    if _is_the_tokens(result):
        return [
            _answered(seen),
            _failed("token", result, _token_advice(result)),
            skipped("points", "the token was refused"),
        ]
    if isinstance(result, BadRequest):
        return [_answered(seen), _accepted(), _failed("points", result, _POINTS_ADVICE)]
    if isinstance(result, NotAMember):
        return [_answered(seen), _accepted(), _known(settings, "; the member is not in it")]
    if isinstance(result, ApiError) and not result.transient:
        return [_answered(seen), _accepted(), _of_another_code(result)]
    failed = _failed("endpoint", result, _advice(result))
    return [failed, skipped("token", "no answer"), skipped("points", "no answer")]


def _failed(check: str, error: AltcraftBalanceError, advice: str) -> Finding:
    return Finding(check=check, state="failed", says=str(error), advice=advice, error=error)


def _answered(seen: Seen) -> Finding:
    status = "" if seen.raw is None else f"HTTP {seen.raw.status}, "
    took = f"({status}{seen.elapsed_s * 1000:.0f} ms)"
    if not isinstance(seen.error, HttpStatusError):
        return Finding(check="endpoint", says=f"the documented envelope {took}")
    says = f"a refusal, and not the documented envelope {took}"
    return Finding(check="endpoint", state="warning", says=says, advice=_BARE_ADVICE)


def _accepted() -> Finding:
    return Finding(check="token", says="accepted")


def _known(settings: ClientSettings, member: str) -> Finding:
    currency = "no currency named" if settings.currency is None else repr(settings.currency)
    return Finding(
        check="points", says=f"program {settings.loyalty_program_id}, {currency}{member}"
    )


def _of_another_code(error: ApiError) -> Finding:
    advice = (
        f"if this is its answer about a member who is not in the program, say so: "
        f"--not-a-member {error.code} (ALTCRAFT_NOT_A_MEMBER); else name a member who is"
    )
    return Finding(check="points", state="warning", says=str(error), advice=advice)


def _is_the_tokens(error: AltcraftBalanceError) -> bool:
    if isinstance(error, AuthenticationError | TariffLimitReached | AccessDenied):
        return True
    if isinstance(error, BadRequest):  # one that was not found where the server looks for it
        return "token" in str(error).lower()
    return isinstance(error, HttpStatusError) and error.status in {401, 402, 403}


def _token_advice(error: AltcraftBalanceError) -> str:
    if isinstance(error, AccessDenied):
        return "the token is known, but may not read balances: have it allowed to"
    if isinstance(error, TariffLimitReached):
        return "the account's tariff is used up: ask whoever pays for it"
    return _REFUSED_ADVICE


def _advice(error: AltcraftBalanceError) -> str:
    if isinstance(error, RateLimited):
        return _pause_advice(error)
    if isinstance(error, RedirectRefused):
        return "the service is elsewhere: correct --base-url (scheme, host, path prefix)"
    if isinstance(error, HttpStatusError) and error.status == 407:
        return "the proxy wants a password: ALTCRAFT_PROXY=http://user:password@host:port"
    if isinstance(error, HttpStatusError) and error.status in {404, 405}:
        return "no such method there: check --base-url, its path prefix too; servers need v75"
    if isinstance(error, UnexpectedReply):
        return "something else answers there, a gateway or a panel: check --base-url, its path too"
    if isinstance(error, AttemptTimeout):
        return "it is slow or hangs: ask again later, or allow more: --attempt-timeout SECONDS"
    if isinstance(error, TlsRefused):
        return "see tls; a server may also want a certificate: --client-cert PATH"
    return "the server or a gateway is in trouble: ask again later, then whoever runs it"


def _pause_advice(error: RateLimited) -> str:
    wait_s = error.retry_after_s
    asked = f" (it asks for {wait_s:,.0f} s)" if wait_s else ""
    if error.status == 503:
        return f"the server is busy, or being worked on: ask again later{asked}"
    return f"wait{asked}, and ask less: --rate NUMBER (ALTCRAFT_RATE_PER_S), as was agreed"


def check_clock(seen: Seen, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding:
    """How far this machine's clock is from the server's, as the reply's ``Date`` has it."""
    if seen.raw is None:
        return skipped("clock", "no reply came")
    told = seen.raw.headers.get("date")
    try:
        date = parsedate_to_datetime(told or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return skipped("clock", "the reply has no Date")
    ahead_s = (now() - date).total_seconds() - seen.elapsed_s / 2
    says = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the server's"
    if abs(ahead_s) < _LONG_S:
        return Finding(check="clock", says=says)
    advice = "set one of them right: certificates and Retry-After dates go by it"
    return Finding(check="clock", state="warning", says=says, advice=advice)
