"""A token that never shows itself, and the types in which secrets travel.

A secret leaks through the frames of a traceback more often than through a log line, so the
value lives behind one attribute of one class, and whatever carries it on the way to the socket
is a `HiddenStr` or `HiddenBytes`, whose ``repr`` is ``***`` in whoever's frame it stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from altcraft_balance.errors import ConfigurationError

__all__ = ["HIDDEN", "HiddenBytes", "HiddenStr", "Secret", "redact"]

HIDDEN: Final = "***"
_EMPTY: Final = "is empty or not set"
#: Also what no XML 1.0 document can carry, and lone surrogates, which UTF-8 cannot.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\s]")


class HiddenStr(str):
    """Text whose ``repr`` is ``***``; otherwise a `str`, as HTTP libraries want one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


class HiddenBytes(bytes):
    """Bytes whose ``repr`` is ``***``; otherwise `bytes`, as sockets want them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


class Secret:
    """A token: by value, or by reference to an environment variable or a file.

    It shows ``***`` wherever it is printed, and only `reveal` gives the value. It pickles only
    when made by reference, because then the pickle holds the name and not the token.

    Raises:
        ConfigurationError: an empty value, or one with blanks or control characters in it.
    """

    __slots__ = ("_origin", "_reference", "_value")

    def __init__(self, value: str) -> None:
        self._origin: Literal["value", "env", "file"] = "value"
        self._reference = ""
        # Hidden before anything can raise: frames show their locals.
        kind, value = type(value), HiddenStr(value) if isinstance(value, str) else HiddenStr("")
        if not issubclass(kind, str):
            raise ConfigurationError(f"the token must be text (str), not {kind.__name__}")
        if trouble := _trouble_with(value):
            raise _refused("the token", trouble)
        self._value = value

    @classmethod
    def from_env(cls, name: str) -> Secret:
        """The token in the environment variable `name`, read when it is asked for."""
        return cls._by_reference("env", name)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Secret:
        """The token in the file at `path`, read when it is asked for; blanks around it go."""
        return cls._by_reference("file", os.fspath(path))

    @classmethod
    def _by_reference(cls, origin: Literal["env", "file"], reference: str) -> Secret:
        secret = cls.__new__(cls)
        secret._origin, secret._reference, secret._value = origin, reference, HiddenStr("")
        return secret

    @property
    def path(self) -> str | None:
        """The file that this secret stands in, or None when it stands elsewhere."""
        return self._reference if self._origin == "file" else None

    @property
    def is_reference(self) -> bool:
        """Whether it is a name, or a path, under which the token is looked up."""
        return self._origin != "value"

    def reveal(self) -> HiddenStr:
        """The value; a file is read anew each time.

        Raises:
            ConfigurationError: the variable is not set, or the file cannot be read.
        """
        value, trouble = self.look_up()
        if trouble:
            raise _refused(self._place, trouble)
        return value

    def look_up(self) -> tuple[HiddenStr, str]:
        """The value, a file's read anew, and "" - or no value, and what is wrong in a few words."""
        if self._origin == "value":
            return self._value, ""
        if self._origin == "file":
            value, trouble = _read(self._reference)
        else:
            value, trouble = HiddenStr(os.environ.get(self._reference, "")), ""
        trouble = trouble or _trouble_with(value)
        return HiddenStr("") if trouble else value, trouble

    @property
    def _place(self) -> str:
        return f"{'variable' if self._origin == 'env' else 'the token file'} {self._reference}"

    def __repr__(self) -> str:
        if self._origin == "value":
            return f"Secret({HIDDEN})"
        return f"Secret.from_{self._origin}({self._reference!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._origin == "value":
            _refuse_pickle()
        return _by_reference, (self._origin, self._reference)


def redact(text: str, values: Iterable[str]) -> str:
    """`text` with every one of `values` replaced by ``***``, in whatever case it stands.

    A value of up to three characters is replaced only where it stands as a word of its own:
    hiding every ``1`` would hide the message.
    """
    folded = text.casefold()
    for value in sorted(filter(None, values), key=len, reverse=True):
        # First without a pattern: to compile one takes 30 µs, and `re` keeps 512 of them.
        if value.casefold() not in folded:
            continue
        pattern = re.escape(value)
        if len(value) < 4:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE)
    return text


def _by_reference(origin: Literal["env", "file"], reference: str) -> Secret:
    return Secret.from_env(reference) if origin == "env" else Secret.from_file(reference)


def _refuse_pickle() -> NoReturn:
    raise TypeError(
        "a Secret made from a value does not pickle: make it with Secret.from_env(name) or "
        "Secret.from_file(path), so that only the name travels"
    )


def _trouble_with(value: HiddenStr) -> str:
    if not value:
        return _EMPTY
    return "has blanks or control characters in it" if _CONTROL.search(value) else ""


def _refused(what: str, trouble: str) -> ConfigurationError:
    advice = ": give the account's API token" if trouble == _EMPTY else ""
    return ConfigurationError(f"{what} {trouble}{advice}")


def _read(path: str) -> tuple[HiddenStr, str]:
    """What stands in the file, or why that cannot be said."""
    try:
        return HiddenStr(Path(path).read_text(encoding="utf-8-sig").strip()), ""
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        trouble = "it is not UTF-8 text"
    except ValueError:
        trouble = "it is not a path"
    return HiddenStr(""), f"cannot be read: {trouble}"
