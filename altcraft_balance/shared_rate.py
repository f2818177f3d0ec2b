"""One agreed rate for several processes, in the place of a number in ``Limits.rate_per_s``.

The processes share a bucket of permits in Redis or PostgreSQL, or each takes a fixed share and
no store is needed. The value opens nothing: it says which, and what each may do alone while the
store is away. A URL with a password in it is held hidden and does not travel in a pickle.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Literal, NoReturn, TypeAlias

from attrs import field, fields, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.secret import HiddenStr, Secret
from altcraft_balance.store_urls import (
    SCHEMES,
    StoreWithUrl,
    may_be_shown,
    store_of,
    trouble_with,
)
from altcraft_balance.validators import checked_number, choice, whole

__all__ = ["SharedRate", "StoreKind"]

StoreKind: TypeAlias = Literal["redis", "postgres", "split"]
#: A name becomes a key of Redis and, with a prefix, a table of PostgreSQL (63 bytes at most).
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


def _rate(value: Any) -> float:
    return checked_number(value, "per_s", 0, above=True)


def _kind(_: object, __: object, value: Any) -> None:
    choice("kind", value, ("redis", "postgres", "split"))


def _name(rate: SharedRate, _: object, value: Any) -> None:
    fits = isinstance(value, str) and _NAME.match(value)
    if rate.kind == "split":
        if value != "":
            raise ConfigurationError("name must be empty: split has no name")
    elif not fits:
        raise ConfigurationError(
            "name must be 1 to 40 characters: letters without accents, digits, '_' and '-'"
        )


def _check_url(rate: SharedRate, _: object, value: Any) -> None:
    if rate.kind == "split":
        if value is not None:
            raise ConfigurationError("url must be None: split has no URL")
    elif isinstance(value, str):
        _check(HiddenStr(value), rate.kind)
    elif not isinstance(value, Secret):
        raise ConfigurationError("url must be text (str) or a Secret")


def _hidden(value: Any) -> Any:
    # Hidden before anything can raise: frames show their locals.
    return HiddenStr(value) if isinstance(value, str) and not may_be_shown(value) else value


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

    Where the bucket is kept is told by `reveal_url`, since a password may stand in it.
    """

    kind: StoreKind = field(validator=_kind)
    per_s: float = field(converter=_rate)
    workers: int = field(validator=whole(1, 1_000_000))
    name: str = field(default="", validator=_name)
    _url: str | Secret | None = field(
        default=None, alias="url", converter=_hidden, validator=_check_url
    )

    def __attrs_post_init__(self) -> None:
        if not self.share_per_s > 0:
            raise ConfigurationError(f"per_s is too small: divided by {self.workers} it is 0")

    @classmethod
    def redis(cls, url: str | Secret, name: str, per_s: float, *, workers: int = 10) -> SharedRate:
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
        cls, url: str | Secret, name: str, per_s: float, *, workers: int = 10
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
        """`redis` or `postgres`, by the scheme of `url`; a `Secret` is read and checked now."""
        url = _hidden(url)
        revealed = _revealed(url)
        kind = store_of(revealed)
        if kind is None:
            raise ConfigurationError(f"url must begin with {_any_of(sum(SCHEMES.values(), ()))}")
        _check(revealed, kind)
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
        if self._url is None or self.kind == "split":
            raise ConfigurationError("a split rate has no store, and so no URL")
        url = _revealed(self._url)
        _check(url, self.kind)
        return url

    def _arguments(self) -> dict[str, Any]:
        # Also of one that a wrong argument left half made: a traceback with locals asks for it.
        made = [one for one in fields(SharedRate) if hasattr(self, one.name)]
        return {one.name.lstrip("_"): getattr(self, one.name) for one in made}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())
        return f"SharedRate({said})"

    def __copy__(self) -> SharedRate:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedRate:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self._url, HiddenStr):
            _refuse_pickle()
        return partial(SharedRate, **self._arguments()), ()


def _refuse_pickle() -> NoReturn:
    raise TypeError(
        "a SharedRate with a password in its URL does not pickle: give the URL as "
        "Secret.from_env(name) or Secret.from_file(path), so that only the name travels"
    )


def _revealed(url: str | Secret) -> HiddenStr:
    if not isinstance(url, Secret):
        return HiddenStr(url if isinstance(url, str) else "")
    value, trouble = url.look_up()
    if trouble:
        raise ConfigurationError(
            f"the URL of the rate's store is not to be had from {url!r}: it {trouble}"
        )
    return value


def _check(url: HiddenStr, kind: StoreWithUrl) -> None:
    """Raises `ConfigurationError`, which quotes nothing of `url`, if it is not one for `kind`."""
    if store_of(url) != kind:
        raise ConfigurationError(f"url must begin with {_any_of(SCHEMES[kind])}")
    if trouble := trouble_with(url):
        raise ConfigurationError(f"url {trouble}")


def _any_of(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
