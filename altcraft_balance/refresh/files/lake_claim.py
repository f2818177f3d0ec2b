"""Whose a folder in an object store is, as an object in it says."""

from __future__ import annotations

import json

from attrs import frozen

__all__ = ["LakeClaim", "claim_in", "said_by"]


@frozen
class LakeClaim:
    """Whose the place is.

    Attributes:
        run: the run's name.
        word: what this start of it has, and no other.
        is_moving: all its parts are there, and those of the earlier run may be gone.
    """

    run: str
    word: str
    is_moving: bool = False

    def is_of(self, other: LakeClaim) -> bool:
        """Whether it is the same run's."""
        return (self.run, self.word) == (other.run, other.word)


def said_by(claim: LakeClaim) -> bytes:
    """What the object holds that says so."""
    said = {"run": claim.run, "claim": claim.word, "is_moving": claim.is_moving}
    return json.dumps(said).encode()


def claim_in(data: bytes | None) -> LakeClaim | None:
    """Whose the place is, as `data` says; what cannot be read may be anybody's."""
    if data is None:
        return None
    try:
        said = json.loads(data)
        return LakeClaim(str(said["run"]), str(said["claim"]), said["is_moving"] is True)
    except (ValueError, KeyError, TypeError):
        return LakeClaim("", "unknown")
