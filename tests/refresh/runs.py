"""Refreshes past a platform in memory, which answers f(member) unless it is told otherwise."""

import asyncio
import csv
import json

from altcraft_balance.client import BalanceClient
from altcraft_balance.refresh.files.csv_file import CsvSink, CsvSource
from altcraft_balance.refresh.job import refresh_balances
from altcraft_balance.settings import Limits, RetryPolicy
from altcraft_balance.transport.port import RawReply


def envelope(error, text="", **data):
    body = {"error": error, "error_text": text, **({"data": data} if data else {})}
    return RawReply(200, {}, json.dumps(body).encode())


def points_of(member):
    """What a member has: no two members have the same."""
    return f"{int(''.join(filter(str.isdigit, member)) or 0)}.25"


class Platform:
    """A transport that answers at once, or when it is told to.

    Attributes:
        asked: the bodies of all requests.
        replies: by member, what is answered in the place of its points.
        held: by member, an event that the answer waits for.
        always: what is answered to everybody.
    """

    def __init__(self):
        self.asked, self.replies, self.held = [], {}, {}
        self.always = None

    async def open(self, *, warm=0):
        """Nothing to open."""

    async def aclose(self):
        """Nothing to close."""

    async def send(self, body, headers, *, limit_s, fresh=False):
        fields = json.loads(bytes(body))
        self.asked.append(fields)
        member = member_in(fields)
        if member in self.held:
            await self.held[member].wait()
        await asyncio.sleep(0)
        if self.always is not None:
            return self.always
        if member in self.replies:
            return self.replies[member]
        points = points_of(member)
        return envelope(0, total_balance=points, active_balance=f"-{points}")

    @property
    def members(self):
        """Who was asked about, in order."""
        return [member_in(fields) for fields in self.asked]


def member_in(fields):
    """Whom a request asks about."""
    return fields.get("email") or fields.get("phone") or str(fields.get("field_value"))


def client(platform, **settings):
    return BalanceClient(
        "https://altcraft.example",
        token="t0p-s3cret-canary",
        transport=platform,
        **{
            "loyalty_program_id": 123,
            "limits": Limits(concurrency=8),
            "retry": RetryPolicy(max_attempts=2, base_s=0),
            **settings,
        },
    )


async def refreshed(source, sink, platform=None, *, settings=None, **arguments):
    """The summary of a refresh, by e-mail unless told otherwise."""
    async with client(platform or Platform(), **(settings or {})) as asked:
        return await refresh_balances(source, sink, asked, **{"by": "email", **arguments})


def members_csv(path, rows, *, head="id,email"):
    """A file of members m0@example.com and so on, with ids that begin with zeros."""
    lines = [f"{number:04},m{number}@example.com" for number in range(rows)]
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def rows_of(path, **options):
    """The rows of a CSV file, as dicts."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **options))


async def from_file(folder, rows, platform=None, *, settings=None, **arguments):
    """The rows that come of a file of members, in a folder, and the summary."""
    source = CsvSource(members_csv(folder / "in.csv", rows))
    return await refreshed(
        source, CsvSink(folder / "out.csv"), platform, settings=settings, **arguments
    )
