"""What a store says when it refuses, as one sentence: of what passes, and of what never will.

pyarrow has one type of error for all of it, and its text alone tells them apart. What is not known
here counts as passing: to try that again costs little, while a run that gives up may be missed.
"""

from __future__ import annotations

import errno
import re
from typing import Final

from altcraft_balance.errors import ConfigurationError

__all__ = ["first_line", "trouble_of"]

_LONGEST: Final = 300
#: No bucket, no such key, or no leave: S3's words, Google's, and Azure's. A key that has run out is
#: not among them, since a profile may bring a new one; nor is a clock that goes wrong.
_NEVER: Final = re.compile(
    r"AWS Error (?:NO_SUCH_BUCKET|ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH"
    r"|INVALID_CLIENT_TOKEN_ID|INVALID_SIGNATURE|MISSING_AUTHENTICATION_TOKEN"
    r"|UNRECOGNIZED_CLIENT|UNKNOWN \(HTTP status 40[13]\))"
    r"|specified (?:bucket|container) does not exist"
    r"|Status\((?:PERMISSION_DENIED|UNAUTHENTICATED)\b"
    r"|Azure Error: \[(?:AuthenticationFailed|AuthorizationFailure"
    r"|AuthorizationPermissionMismatch|ContainerNotFound|NoAuthenticationInformation)\]"
)


def trouble_of(name: str, error: Exception) -> OSError | ConfigurationError:
    """What to raise for pyarrow's `error` about the folder `name`.

    A `ConfigurationError` if waiting cannot help, an `OSError` if it may.
    """
    line = first_line(error)
    if isinstance(error, PermissionError) or _NEVER.search(line):
        return ConfigurationError(
            f"{name} cannot be written: {line}; no waiting helps: see to the name, to the keys "
            "(the store's environment variables or profile, such as AWS_PROFILE) and to what they "
            "may do, then run the same command again"
        )
    return OSError(
        errno.EIO,  # never the store's own: a broken pipe is another thing here
        f"{name} cannot be written: {line}; nothing is lost: see to it, and run the same command "
        "again",
    )


def first_line(error: Exception) -> str:
    """The first line of what `error` says, without what only the store's owner understands."""
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    line = text.splitlines()[0].partition(" (Request ID:")[0].rstrip(".; ")
    return f"{line[:_LONGEST]}..." if len(line) > _LONGEST else line
