"""URLs of the store that keeps a shared rate: what can be known of one before anything connects.

A store that cannot be reached is "away", and each process goes on with its share of the rate. So
a URL that can never be right has to be refused when it is given, or nobody hears of it.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias
from urllib.parse import SplitResult, parse_qs, urlsplit

__all__ = ["SCHEMES", "StoreWithUrl", "holds_password", "may_be_shown", "store_of", "trouble_with"]

StoreWithUrl: TypeAlias = Literal["redis", "postgres"]
SCHEMES: Final[dict[StoreWithUrl, tuple[str, ...]]] = {
    "redis": ("redis://", "rediss://", "unix://"),
    "postgres": ("postgres://", "postgresql://"),
}
#: By any of these libpq is told where to connect, beside a host and a path.
_PLACES: Final = frozenset({"host", "hostaddr", "service", "dbname"})
_DATABASE = re.compile(r"(/[0-9]*)?\Z")


def store_of(url: str) -> StoreWithUrl | None:
    """The store that the scheme of `url` speaks of; None if it is none of ours."""
    return next((store for store, schemes in SCHEMES.items() if url.startswith(schemes)), None)


def trouble_with(url: str) -> str:
    """What is wrong with `url`, which has a scheme of ours, and quotes none of it; "" if nothing.

    It is what follows "url" in a sentence. Redis takes a path that is no number for none.
    """
    parts = _split(url)
    if parts is None or not url.isprintable() or re.search(r"\s", url):
        return "is not a URL: see that what is special in it is percent-encoded"
    if "#" in url or "@" in _behind_host(parts):
        return "has a '#', or an '@' after its host: percent-encode those of a password (%23, %40)"
    if _has_a_wrong_port(parts):
        return "has a port that is not a number from 1 to 65535"
    return _trouble_with_place(parts)


def _trouble_with_place(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        is_path = parts.path.strip("/") and not parts.hostname
        return "" if is_path else "names no socket: write unix:///run/redis.sock"
    if _is_postgres(parts):
        return "" if _names_a_place(parts) else "names no host: write postgresql://host/database"
    if not parts.hostname:
        return "names no host: write redis://host:6379/0"
    is_number = _DATABASE.match(parts.path)
    return "" if is_number else "has a path that is no database's number: write redis://host/0"


def _names_a_place(parts: SplitResult) -> bool:
    """Whether PostgreSQL is told where: by a host, a database on this machine, or in the query."""
    hosts, path = parts.netloc.rpartition("@")[2], parts.path.strip("/")
    return bool(hosts or path) or not _PLACES.isdisjoint(parse_qs(parts.query))


def _has_a_wrong_port(parts: SplitResult) -> bool:
    hosts = [parts.netloc.rpartition("@")[2]]
    if _is_postgres(parts):
        # libpq takes several hosts, each with a port of its own, and ports in the query.
        ports = ",".join(parse_qs(parts.query).get("port", ())).split(",")
        hosts = [*hosts[0].split(","), *(f":{port}" for port in ports)]
    try:
        return any(urlsplit(f"//{host}").port == 0 for host in hosts)
    except ValueError:
        return True


def holds_password(url: str) -> bool:
    """Whether a password may stand in `url`, which need not be right: when in doubt, yes.

    One stands before an ``@`` or in the query. Redis takes a name alone before the ``@`` for a
    user's, but people put passwords there.
    """
    parts = _split(url)
    if parts is None:
        return "@" in url or "pass" in url.lower()
    if "@" in _behind_host(parts) or "pass" in parts.query.lower():
        return True
    userinfo, at, _ = parts.netloc.rpartition("@")
    return ":" in userinfo if _is_postgres(parts) else bool(at)


def may_be_shown(url: str) -> bool:
    """Whether it is known that no secret stands in `url`: one that is wrong may be anything."""
    return store_of(url) is not None and not trouble_with(url) and not holds_password(url)


def _split(url: str) -> SplitResult | None:
    """The parts of `url`; None, and no exception that quotes it, if it is not one."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _is_postgres(parts: SplitResult) -> bool:
    return f"{parts.scheme}://" in SCHEMES["postgres"]


def _behind_host(parts: SplitResult) -> str:
    return f"{parts.path}{parts.query}{parts.fragment}"
