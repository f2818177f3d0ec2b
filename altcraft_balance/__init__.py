"""Asynchronous client for loyalty-points balances on the Altcraft marketing platform.

The public names load on first use, so that importing the package imports no HTTP library.
"""

from typing import TYPE_CHECKING, Final

from altcraft_balance.version import __version__

if TYPE_CHECKING:
    from altcraft_balance.client import BalanceClient as BalanceClient
    from altcraft_balance.errors import AccessDenied as AccessDenied
    from altcraft_balance.errors import AltcraftBalanceError as AltcraftBalanceError
    from altcraft_balance.errors import ApiError as ApiError
    from altcraft_balance.errors import AttemptTimeout as AttemptTimeout
    from altcraft_balance.errors import AuthenticationError as AuthenticationError
    from altcraft_balance.errors import BadRequest as BadRequest
    from altcraft_balance.errors import CircuitOpen as CircuitOpen
    from altcraft_balance.errors import ClientClosed as ClientClosed
    from altcraft_balance.errors import ConfigurationError as ConfigurationError
    from altcraft_balance.errors import ConnectionFailed as ConnectionFailed
    from altcraft_balance.errors import DeadlineExceeded as DeadlineExceeded
    from altcraft_balance.errors import HttpStatusError as HttpStatusError
    from altcraft_balance.errors import InvalidQuery as InvalidQuery
    from altcraft_balance.errors import NotAMember as NotAMember
    from altcraft_balance.errors import RateLimited as RateLimited
    from altcraft_balance.errors import RedirectRefused as RedirectRefused
    from altcraft_balance.errors import TariffLimitReached as TariffLimitReached
    from altcraft_balance.errors import TlsRefused as TlsRefused
    from altcraft_balance.errors import UnexpectedReply as UnexpectedReply
    from altcraft_balance.models import Balance as Balance
    from altcraft_balance.models import BalanceQuery as BalanceQuery
    from altcraft_balance.models import ByCustomField as ByCustomField
    from altcraft_balance.models import ByEmail as ByEmail
    from altcraft_balance.models import ByPhone as ByPhone
    from altcraft_balance.models import ByProfileId as ByProfileId
    from altcraft_balance.models import Currency as Currency
    from altcraft_balance.models import CurrencyEid as CurrencyEid
    from altcraft_balance.models import CurrencyIid as CurrencyIid
    from altcraft_balance.models import Failed as Failed
    from altcraft_balance.models import Found as Found
    from altcraft_balance.models import Matching as Matching
    from altcraft_balance.models import Outcome as Outcome
    from altcraft_balance.models import RawMatching as RawMatching
    from altcraft_balance.refresh.files.csv_file import CsvSink as CsvSink
    from altcraft_balance.refresh.files.csv_file import CsvSource as CsvSource
    from altcraft_balance.refresh.files.json_lines import JsonLinesSink as JsonLinesSink
    from altcraft_balance.refresh.files.json_lines import JsonLinesSource as JsonLinesSource
    from altcraft_balance.refresh.files.parquet_sink import ParquetSink as ParquetSink
    from altcraft_balance.refresh.files.parquet_source import ParquetSource as ParquetSource
    from altcraft_balance.refresh.job import refresh_balances as refresh_balances
    from altcraft_balance.refresh.port import BadRow as BadRow
    from altcraft_balance.refresh.port import Column as Column
    from altcraft_balance.refresh.port import Opening as Opening
    from altcraft_balance.refresh.port import RowSink as RowSink
    from altcraft_balance.refresh.port import RowSource as RowSource
    from altcraft_balance.refresh.port import SourceInfo as SourceInfo
    from altcraft_balance.refresh.previous import PreviousFile as PreviousFile
    from altcraft_balance.refresh.sql.sink import SqlSink as SqlSink
    from altcraft_balance.refresh.sql.source import SqlSource as SqlSource
    from altcraft_balance.refresh.summary import RefreshSummary as RefreshSummary
    from altcraft_balance.sandbox import Sandbox as Sandbox
    from altcraft_balance.secret import Secret as Secret
    from altcraft_balance.settings import Limits as Limits
    from altcraft_balance.settings import RetryPolicy as RetryPolicy
    from altcraft_balance.settings import Timeouts as Timeouts
    from altcraft_balance.shared_rate import SharedRate as SharedRate
    from altcraft_balance.timetable import RateTimetable as RateTimetable

_HOMES: Final = {
    "client": ("BalanceClient",),
    "errors": (
        "AccessDenied",
        "AltcraftBalanceError",
        "ApiError",
        "AttemptTimeout",
        "AuthenticationError",
        "BadRequest",
        "CircuitOpen",
        "ClientClosed",
        "ConfigurationError",
        "ConnectionFailed",
        "DeadlineExceeded",
        "HttpStatusError",
        "InvalidQuery",
        "NotAMember",
        "RateLimited",
        "RedirectRefused",
        "TariffLimitReached",
        "TlsRefused",
        "UnexpectedReply",
    ),
    "models": (
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
    ),
    "refresh.files.csv_file": ("CsvSink", "CsvSource"),
    "refresh.job": ("refresh_balances",),
    "refresh.files.json_lines": ("JsonLinesSink", "JsonLinesSource"),
    "refresh.files.parquet_sink": ("ParquetSink",),
    "refresh.files.parquet_source": ("ParquetSource",),
    "refresh.port": ("BadRow", "Column", "Opening", "RowSink", "RowSource", "SourceInfo"),
    "refresh.previous": ("PreviousFile",),
    "refresh.sql.sink": ("SqlSink",),
    "refresh.sql.source": ("SqlSource",),
    "refresh.summary": ("RefreshSummary",),
    "sandbox": ("Sandbox",),
    "secret": ("Secret",),
    "settings": ("Limits", "RetryPolicy", "Timeouts"),
    "shared_rate": ("SharedRate",),
    "timetable": ("RateTimetable",),
}
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}
__all__ = ["__version__", *sorted(_HOME)]  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import the module that a public name lives in, the first time the name is used."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """The public names, loaded or not."""
        return list(__all__)
