"""One agreed rate for several processes, in the place of a number in ``Limits.rate_per_s``.

The processes share a bucket of permits in Redis or PostgreSQL, or each takes a fixed share and
no store is needed. The value opens nothing: it says which, and what each may do alone while the
store is away. A URL with a password in it is held hidden and does not travel in a pickle.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final, Literal, NoReturn, TypeAlias
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret

__all__ = ["SharedRate", "StoreKind", "holds_password"]

StoreKind: TypeAlias = Literal["redis", "postgres", "split"]
_SCHEMES: Final[dict[StoreKind, tuple[str, ...]]] = {
    "redis": ("redis", "rediss", "unix"),
    "postgres": ("postgres", "postgresql"),
}
_FIELDS: Final = ("kind", "per_s", "workers", "name", "url")
_MOST_WORKERS: Final = 1_000_000
#: A name becomes a key of Redis and, with a prefix, a table of PostgreSQL (63 bytes at most).
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


def _rate(value: Any) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not 0 < value <= 1e9:
        raise ConfigurationError(
            f"per_s must be a number greater than 0, up to a billion, not {value!r}"
        )
    return float(value)


def _workers(_: object, __: object, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_WORKERS:
        raise ConfigurationError("workers must be a whole number from 1 to a million")


def _kind(_: object, __: object, value: Any) -> None:
    if value not in ("redis", "postgres", "split"):
        raise ConfigurationError("kind must be one of redis, postgres, split")


def _name(rate: SharedRate, _: object, value: Any) -> None:
    fits = isinstance(value, str) and _NAME.match(value)
    if rate.kind != "split" and not fits:
        raise ConfigurationError(
            "name must be 1 to 40 characters: letters without accents, digits, '_' and '-'"
        )


def _url(rate: SharedRate, _: object, value: Any) -> None:
    if isinstance(value, str):
        _checked(value, rate.kind)
    elif rate.kind != "split" and not isinstance(value, Secret):
        raise ConfigurationError("url must be text (str) or a Secret")


def _hidden(value: Any) -> Any:
    # Hidden before anything can raise: frames show their locals.
    return HiddenStr(value) if isinstance(value, str) and holds_password(value) else value


@frozen(kw_only=True, repr=False)
class SharedRate:
    """One agreed rate for several processes; made by `redis`, `postgres`, `split` or `from_url`.

    It pickles unless it holds a password: then give the URL as `Secret.from_env(name)` or
    `Secret.from_file(path)`, so that only the name travels.

    Attributes:
        kind: ``redis``, ``postgres`` or ``split``.
        per_s: requests per second that all processes may send together.
        workers: how many processes share the rate.
        name: the shared bucket's name, the same for all who share it; case makes no difference.
        url: where the bucket is kept; None for a split rate.
    """

    kind: StoreKind = field(validator=_kind)
    per_s: float = field(converter=_rate)
    workers: int = field(validator=_workers)
    name: str = field(default="", validator=_name)
    url: str | Secret | None = field(default=None, converter=_hidden, validator=_url)

    @classmethod
    def redis(
        cls, url: str | Secret, name: str, per_s: float = 200, *, workers: int = 10
    ) -> SharedRate:
        """A rate kept in Redis (extra ``shared-rate``).

        Args:
            url: ``redis://``, ``rediss://`` (TLS) or ``unix://``; text, or a `Secret`.
            name: the bucket's name: 1 to 40 letters, digits, ``_`` and ``-``.
            per_s: requests per second of all processes together.
            workers: how many processes share it. While the store is away each goes on with
                ``per_s / workers``; the default errs on the quiet side.

        Raises:
            ConfigurationError: one of these is not what it must be.
        """
        url = _hidden(url)
        return cls(kind="redis", per_s=per_s, workers=workers, name=name, url=url)

    @classmethod
    def postgres(
        cls, url: str | Secret, name: str, per_s: float = 200, *, workers: int = 10
    ) -> SharedRate:
        """A rate kept in a table of PostgreSQL (extra ``shared-rate``), made on first use.

        It writes a row for each lookup, and asks five times for each portion of them: it suits
        up to some 1,000 requests per second, within 2 ms of the server. Redis suits any rate.

        Args:
            url: ``postgresql://`` or ``postgres://``; text, or a `Secret`.
            name: as for `redis`; so is what is raised.
            per_s: requests per second of all processes together.
            workers: how many processes share it.
        """
        url = _hidden(url)
        return cls(kind="postgres", per_s=per_s, workers=workers, name=name, url=url)

    @classmethod
    def split(cls, per_s: float, workers: int = 32) -> SharedRate:
        """A rate divided beforehand: each of `workers` processes keeps to ``per_s / workers``."""
        return cls(kind="split", per_s=per_s, workers=workers)

    @classmethod
    def from_url(
        cls, url: str | Secret, per_s: float, *, name: str = "altcraft-balance", workers: int = 10
    ) -> SharedRate:
        """`redis` or `postgres`, by the scheme of `url`; a `Secret` is looked at for it."""
        url = _hidden(url)
        kind = _kind_of(_revealed(url))
        return cls(kind=kind, per_s=per_s, workers=workers, name=name, url=url)

    @property
    def share_per_s(self) -> float:
        """What each process may send per second by itself."""
        return self.per_s / self.workers

    def reveal_url(self) -> HiddenStr:
        """The URL itself; a `Secret` is read and checked now, which for a file is file I/O.

        Raises:
            ConfigurationError: a split rate, or a secret that is not set or not such a URL.
        """
        if self.url is None:
            raise ConfigurationError("a split rate has no store, and so no URL")
        url = _revealed(self.url)
        _checked(url, self.kind)
        return url

    def __repr__(self) -> str:
        # Also of one that a wrong argument left half made: a traceback with locals asks for it.
        names = [
            name for name in ("kind", "per_s", "workers", "name", "url") if hasattr(self, name)
        ]
        return f"SharedRate({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def __copy__(self) -> SharedRate:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedRate:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self.url, HiddenStr):
            _refuse_pickle()
        return partial(SharedRate, **{name: getattr(self, name) for name in _FIELDS}), ()


def _refuse_pickle() -> NoReturn:
    raise TypeError(
        "a SharedRate with a password in its URL does not pickle: give the URL as "
        "Secret.from_env(name) or Secret.from_file(path), so that only the name travels"
    )


def _revealed(url: str | Secret) -> HiddenStr:
    if isinstance(url, Secret):
        try:
            return url.reveal()
        except ConfigurationError:
            pass
        raise ConfigurationError(f"the URL of the rate's store is not to be had from {url!r}")
    return HiddenStr(url if isinstance(url, str) else "")


def _kind_of(url: HiddenStr) -> StoreKind:
    for kind, schemes in _SCHEMES.items():
        if url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            return kind
    raise ConfigurationError(
        "the URL of a rate's store must begin with redis://, rediss://, unix://, postgres:// or "
        "postgresql://"
    )


def _checked(url: str, kind: StoreKind) -> None:
    """Raises `ConfigurationError`, which quotes nothing of `url`, if it is not one for `kind`."""
    url, schemes = HiddenStr(url), _SCHEMES.get(kind, ())
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        accepted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ConfigurationError(f"url must begin with {accepted or 'nothing: split has no URL'}")
    trouble = _trouble_with(url)
    if trouble:
        raise ConfigurationError(f"url {trouble}")


def _trouble_with(url: str) -> str:
    parts = _parsed(url)
    if parts is None or not url.isprintable() or re.search(r"\s", url):
        return "is not a URL: see that what is special in it is percent-encoded"
    if "@" in _after_host(url, parts) or "#" in url:
        return "has a special character in its password: percent-encode it ('@' is %40)"
    if parts.scheme in {"redis", "rediss"} and not parts.hostname:
        return "names no host"
    return ""


def _parsed(url: str) -> SplitResult | None:
    """The parts of `url`; None, and no exception that quotes it, if it is not one."""
    try:
        parts = urlsplit(url)
        # A URL for libpq may name several hosts, each with a port of its own.
        hosts = parts.netloc.rpartition("@")[2].split(",")
        fits = all(urlsplit(f"//{host}").port != 0 for host in hosts)
    except ValueError:
        return None
    return parts if fits else None


def _after_host(url: str, parts: SplitResult) -> str:
    return url.partition("://")[2][len(parts.netloc) :]


def holds_password(url: str) -> bool:
    """Whether a password may stand in `url`; when in doubt, yes.

    Redis takes a name alone before the ``@`` for a user's, but people put passwords there.
    """
    parts = _parsed(url)
    if parts is None or "@" in _after_host(url, parts) or "pass" in parts.query.lower():
        return True
    userinfo, at, _ = parts.netloc.rpartition("@")
    if parts.scheme in _SCHEMES["postgres"]:
        return ":" in userinfo
    return bool(at) or parts.scheme not in _SCHEMES["redis"]
