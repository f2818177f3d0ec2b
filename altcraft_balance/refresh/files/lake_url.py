"""URLs of folders in object stores: which there are, and that no secret stands in one.

pyarrow takes keys and passwords in a URL. But a URL is seen by everybody who lists processes, and
stands in summaries and logs; so whoever gives one with a secret is told of a better place for it.
"""

from __future__ import annotations

import os
import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from attrs import frozen

from altcraft_balance.errors import ConfigurationError

__all__ = ["LakeUrl", "is_url", "local_path"]

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LAKES: Final = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
#: Schemes whose URLs may name a user before the @; of Azure's it is the container.
_WITH_NAMES: Final = frozenset({"abfs", "abfss", "hdfs"})
_SECRET: Final = re.compile(r"secret|token|passw|pwd|sas|sig\b|signature|access|key", re.IGNORECASE)
_FILE: Final = re.compile(r"\.(parquet|csv|tsv|jsonl|ndjson)(\.gz|\.zst)?\Z", re.IGNORECASE)
#: What else could be tried for a quarter of an hour.
_PATIENCE: Final = {"gs": "retry_limit_seconds=60", "gcs": "retry_limit_seconds=60"}

#: Two names of one thing, and what else says which store it is.
_SAME: Final = {"gcs": "gs", "abfss": "abfs"}
_ENDPOINTS: Final = ("endpoint_override", "blob_storage_authority", "dfs_storage_authority")


def is_url(text: str | os.PathLike[str]) -> bool:
    """Whether `text` begins with a scheme and ``://``."""
    return isinstance(text, str) and _URL.match(text) is not None


def local_path(text: str) -> str:
    """The path of a ``file:///`` URL; any other `text` as it is.

    Raises:
        ConfigurationError: the URL names a host.
    """
    if not text.lower().startswith("file://"):
        return text
    path = unquote(text[len("file://") :])
    if not path.startswith("/"):
        raise ConfigurationError("a file's URL begins with file:///, three slashes, then the path")
    return path


@frozen
class LakeUrl:
    """A folder in an object store.

    Attributes:
        shown: what people call it: without its query, and with a slash at its end.
        full: what pyarrow is told.
    """

    shown: str
    full: str

    @classmethod
    def of(cls, url: str) -> LakeUrl:
        """The folder that `url` names.

        Raises:
            ConfigurationError: its scheme is not known, it names no folder, or it has a secret.
        """
        parts = _split(url)
        if parts is None or parts.scheme not in _LAKES:
            known = ", ".join(f"{scheme}://" for scheme in ("file", *_LAKES))
            raise ConfigurationError(f"a URL must begin with one of {known}")
        scheme = f"{parts.scheme}://"
        if _has_secret(parts):
            raise ConfigurationError(
                "a URL must not hold a key or a password, which everybody could read: give "
                "them by the store's environment variables or profile, such as AWS_PROFILE"
            )
        if parts.fragment or not parts.netloc:
            raise ConfigurationError(f"a URL must look like {scheme}bucket/folder/")
        shown = f"{scheme}{parts.netloc}/{parts.path.strip('/')}".rstrip("/") + "/"
        if _FILE.search(parts.path):
            raise ConfigurationError(
                f"{shown[:-1]} is a file's name: an object store gets a folder of Parquet, whose "
                "URL ends in /"
            )
        return cls(shown, _full(shown[:-1], parts))

    @property
    def place(self) -> str:
        """The folder and its store, the same however a URL of it is written."""
        parts = urlsplit(self.full)
        scheme, path = _SAME.get(parts.scheme, parts.scheme), unquote(parts.path)
        given = sorted(dict(parse_qsl(parts.query)).items())
        stores = [f"{name}={_host_of(value)}" for name, value in given if name in _ENDPOINTS]
        return "?".join(filter(None, (f"{scheme}://{parts.netloc}{path}", "&".join(stores))))


def _host_of(endpoint: str) -> str:
    """Its host and port: ``http://`` before them may stand elsewhere in the URL."""
    return endpoint.rpartition("://")[2].rstrip("/").lower()


def _full(shown: str, parts: SplitResult) -> str:
    patience = _PATIENCE.get(parts.scheme, "")
    if patience.partition("=")[0] in parts.query:
        patience = ""
    query = "&".join(filter(None, (parts.query, patience)))
    return f"{shown}?{query}" if query else shown


def _has_secret(parts: SplitResult) -> bool:
    """Whether one may stand there: when in doubt, yes. A key's own slash ends the host early."""
    user, at, host = parts.netloc.rpartition("@")
    if "@" in f"{parts.path}{parts.fragment}" or ":" in user:
        return True
    if at and parts.scheme not in _WITH_NAMES:
        return True
    if ":" in host and not host.rpartition(":")[2].isdigit():
        return True
    names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return "@" in parts.query or any(map(_SECRET.search, names))


def _split(url: str) -> SplitResult | None:
    """The parts of `url`; None, and no exception that quotes it, if it is not one."""
    if not url.isprintable() or re.search(r"\s", url):
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None
