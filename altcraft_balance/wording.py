"""Settings called by the names that their user gave them, in whatever a check says.

A check knows a setting as an argument of Python: ``rate_per_s must be ...``. Who set it by a
variable or by an option is told of that one. There is one rule for it, and no sentence is written
twice: whoever reads settings from somewhere else says what they are called there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["called", "renamed"]

#: A plain word such as "name" or "proxy" is a setting's where a sentence begins, or in a list in
#: brackets, and there alone; one with an underscore wherever it stands, except as the first word of
#: a quoted value; and one that is to be switched on is written ``fresh=True``. A part of a path or
#: of a file's name is none.
_SETTING: Final = re.compile(
    r"""\b\w+=True\b
    | ^\w+\b (?![/\\-]|\.\w)
    | (?<=\() \w+ (?=[,)])
    | (?<=,\ ) \w+ (?=[,)])
    | (?<!['/.\\-]) \b\w*_\w*\b (?![/\\-]|\.\w)""",
    re.VERBOSE,
)


def renamed(sentence: str, names: Mapping[str, str]) -> str:
    """`sentence` with each setting that `names` has called as it is there."""
    return _SETTING.sub(lambda found: names.get(found[0], found[0]), sentence)


@contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Within it, a `ConfigurationError` calls settings as `names` does.

    It stays the same error: another one would hold on to it, and to the frames that it left.
    """
    try:
        yield
    except ConfigurationError as error:
        error.args = (renamed(str(error), names),)
        raise
