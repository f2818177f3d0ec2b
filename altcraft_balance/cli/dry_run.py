"""``refresh --dry-run``: everything is read and checked, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, evolve

from altcraft_balance.cli.plain_source import described, plain_rows
from altcraft_balance.cli.show import harmless, rows, screen
from altcraft_balance.client import BalanceClient
from altcraft_balance.codec.request import RequestEncoder, member_fields
from altcraft_balance.errors import InvalidQuery
from altcraft_balance.matchings import RawMatching
from altcraft_balance.models import BalanceQuery
from altcraft_balance.refresh.durations import span
from altcraft_balance.refresh.port import BadRow, Cells, RowSource
from altcraft_balance.refresh.rows.plan import Asking, Plan
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.subject import plan_of
from altcraft_balance.secret import HIDDEN, HiddenStr
from altcraft_balance.settings import ClientSettings
from altcraft_balance.shared_rate import SharedRate
from altcraft_balance.timetable import RateTimetable

__all__ = ["DryRun", "show_dry_run"]

_NAMES: Final = frozenset({"matching", "field_name"})  # of fields that tell nothing of a member


@define
class DryRun:
    """What is in the input.

    Attributes:
        rows: rows that were read.
        bad: rows of which no request can be made.
        first_bad: the first of them, and why.
        requests: requests that the others make.
        first: the first of these.
    """

    rows: int = 0
    bad: int = 0
    first_bad: str = ""
    requests: int = 0
    first: BalanceQuery | None = None


def show_dry_run(source: RowSource, sinks: Sinks, asking: Asking, client: BalanceClient) -> DryRun:
    """Read and check all of `source`, and show what would be asked."""
    settings = client.settings
    info = described(source)
    plan = plan_of(info, asking, sinks, settings)
    encoder = RequestEncoder(
        HiddenStr(HIDDEN),
        loyalty_program_id=settings.loyalty_program_id,
        currency=settings.currency,
        format=settings.format,
        auth=settings.auth,
        headers=dict(settings.headers),
    )
    found = _read(plain_rows(source), plan, encoder)
    out = screen()
    out.print(rows(_described(info.name, found, settings)))
    if found.first is not None:
        out.print("\nThe first request, with token and member masked:\n")
        for line in _request(found.first, encoder, settings):
            out.print(f"  {harmless(line)}", soft_wrap=True)
    out.print("\nNothing was sent.")
    return found


def _read(source: Iterable[Cells | BadRow], plan: Plan, encoder: RequestEncoder) -> DryRun:
    found = DryRun()
    for cells in source:
        found.rows += 1
        try:
            if isinstance(cells, BadRow):
                raise InvalidQuery(cells.why)
            queries = plan.queries(cells, None)
            for query in queries:
                encoder.encode(query)
        except InvalidQuery as error:
            found.bad += 1
            found.first_bad = found.first_bad or f"the first in row {found.rows:,}: {error}"
            continue
        found.requests += len(queries)
        found.first = found.first or queries[0]
    return found


def _described(name: str, found: DryRun, settings: ClientSettings) -> Iterator[tuple[str, str]]:
    yield "Input", name
    yield "Rows", f"{found.rows:,}"
    yield "Bad input", f"{found.bad:,}; {found.first_bad}" if found.bad else "none"
    yield "Requests", f"{found.requests:,}, and repeats"
    yield "Time", _time(found.requests, settings)


def _time(requests: int, settings: ClientSettings) -> str:
    rate = settings.limits.rate_per_s
    if rate is None:
        return "not known, since no --rate was given"
    if isinstance(rate, RateTimetable):
        return f"about {span(requests / rate.mean_per_s)}, at {rate}"
    per_s = rate.per_s if isinstance(rate, SharedRate) else rate
    return f"at least {span(requests / per_s)}, at {per_s:,.10g} requests/s"


def _request(
    query: BalanceQuery, encoder: RequestEncoder, settings: ClientSettings
) -> Iterator[str]:
    """The lines of the request; it is made with the masks in it, so that nothing can show."""
    fields = member_fields(query.matching)
    masked = {name: value if name in _NAMES else HIDDEN for name, value in fields.items()}
    request = encoder.encode(evolve(query, matching=RawMatching(masked)))
    yield f"POST {settings.url}"
    for name, value in request.headers.items():
        yield f"{name}: {value}"
    yield ""
    yield bytes(request.body).decode()
