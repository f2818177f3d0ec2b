"""Parts in an object store, which has no rename: at every moment a reader is told the truth.

They grow in a folder below ``_unfinished``, where no reader looks. At the end ``_SUCCESS`` goes
first, then the parts of an earlier run; then the store copies the new ones to their place, and
``_SUCCESS`` comes last. So where it stands, there are all rows of one run and no others.

An object says whose place it is. No store that pyarrow speaks to lets the first of two writers
win; so a run looks again before each part, and two that begin in the same second may both write,
each below its own name. The one whose word is not there at its next look stops; only one ends.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from attrs import evolve

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.lake import Lake
from altcraft_balance.refresh.files.lake_claim import LakeClaim, claim_in, said_by
from altcraft_balance.refresh.files.parquet_parts import (
    KEPT,
    SUCCESS,
    PartFormat,
    check_parts,
    is_part,
    part_name,
    part_names,
)
from altcraft_balance.refresh.files.patience import Patience
from altcraft_balance.refresh.port import Opening

__all__ = ["LakeParts"]

_CLAIM: Final = "_altcraft_claim.json"
_UNFINISHED: Final = "_unfinished"
_NOT_DATA: Final = ("_", ".")


class LakeParts:
    """Parts in the folder `lake`.

    Args:
        lake: the folder.
        overwrite: whether parts that are there already are replaced, at the end.

    Attributes:
        compression: how a part is packed.
        patience: how long the parts may take to be moved.
    """

    compression = KEPT

    def __init__(self, lake: Lake, *, overwrite: bool) -> None:
        self._lake, self._overwrite = lake, overwrite
        self._mine = LakeClaim("", "")
        self._folder = ""
        self._is_open = self._has_grown = False
        self.patience = Patience()

    def open(self, opening: Opening, parts: int) -> None:
        """Claim the place, and drop all but the first `parts` parts of this run."""
        self.patience = Patience()
        self._mine = LakeClaim(opening.run_id, opening.claim)
        self._folder = f"{_UNFINISHED}/{opening.run_id}.{opening.claim}".rstrip(".")
        self._lake.connect()
        claim = self._claimed()
        if claim is not None and not claim.is_of(self._mine) and not opening.fresh:
            raise ConfigurationError(
                f"{self._lake.name} belongs to {_named(claim, self._mine)}, or drop it with "
                "fresh=True"
            )
        self._has_grown = opening.is_whole or opening.token is not None
        if not opening.is_whole:
            self._check_place(has_remains=claim is not None and claim.is_moving)
        self._is_open = True
        if not opening.is_whole:
            self._take()
            self._keep(parts)

    def begin(self) -> None:
        """The run is under way: the place stays its own, though its first part may be far."""
        self._has_grown = True

    def add(self, name: str, data: bytes) -> None:
        """Make the part `name` durable."""
        self._check_mine()
        self._lake.put(f"{self._folder}/{name}", data)

    def finish(self, parts: int, form: PartFormat) -> None:
        """Put the parts in the place of what was there."""
        if not self._is_open:
            return
        count = max(1, parts)
        if self._claimed() is not None:
            if not self._check_mine().is_moving:
                if not parts:  # a reader wants to know the columns
                    self.add(part_name(0), form.encode([], self.compression))
                self._check(self._lake.names(self._folder), count)
                self._note(evolve(self._mine, is_moving=True))
            self._move(set(part_names(count)))
            self._check(self._parts(), count)
            self._lake.put(SUCCESS, b"")
            self._drop_unfinished()
            self._lake.remove([_CLAIM])
        elif SUCCESS not in self._lake.names():
            self._check((), count)
        self._check(self._parts(), count)

    def close(self) -> None:
        """Let the place go, if nothing of this run is in it."""
        if self._is_open and not self._has_grown:
            # Whoever comes next is told of a run without a part.
            with suppress(OSError, ConfigurationError):
                self._let_go()
        self._is_open = False

    def discard(self) -> None:
        """Remove the parts, and let the place go."""
        if self._is_open:
            self._is_open = False
            self._drop_unfinished()
            self._let_go()

    # ── whose it is ──────────────────────────────────────────────────────────────────────────

    def _claimed(self) -> LakeClaim | None:
        return claim_in(self._lake.read(_CLAIM))

    def _note(self, claim: LakeClaim) -> None:
        self._lake.put(_CLAIM, said_by(claim))

    def _take(self) -> None:
        self._note(self._mine)
        data = self._lake.read(_CLAIM)
        self._check_unspoilt(data)
        self._check_own(claim_in(data))

    def _check_unspoilt(self, data: bytes | None) -> None:
        """Refuse a store that keeps an upload's frame with what is in it.

        Without keys Amazon's library frames whatever it sends, but does not say so; S3 itself
        refuses that, some others store it as it came.
        """
        said = said_by(self._mine)
        if data is None or data == said or said not in data:
            return
        self._lake.remove([_CLAIM])  # it is ours: nobody else knows the word in it
        raise ConfigurationError(
            f"{self._lake.name} cannot be written: what is read there is not what was written, as "
            "happens without keys: give them by the store's environment variables or profile, "
            "such as AWS_PROFILE"
        )

    def _check_mine(self) -> LakeClaim:
        return self._check_own(self._claimed())

    def _check_own(self, claim: LakeClaim | None) -> LakeClaim:
        if claim is not None and claim.is_of(self._mine):
            return claim
        whose = "nobody any more"
        if claim is not None:
            whose = f"the run {claim.run}" if claim.run else "a run that is not known here"
        raise ConfigurationError(
            f"{self._lake.name} was taken from this run while it wrote, and belongs to {whose}: "
            "let one run at a time write there"
        )

    def _let_go(self) -> None:
        claim = self._claimed()
        if claim is not None and claim.is_of(self._mine):
            self._lake.remove([_CLAIM])

    # ── what is there ────────────────────────────────────────────────────────────────────────

    def _check_place(self, *, has_remains: bool) -> None:
        there = self._lake.names()
        if has_remains and SUCCESS not in there:  # of a run that is dropped while it moved
            self._lake.remove(filter(is_part, there))
            there = {name: is_folder for name, is_folder in there.items() if not is_part(name)}
        data = sorted(name for name in there if not name.startswith(_NOT_DATA))
        if not self._overwrite and (data or SUCCESS in there):
            raise ConfigurationError(
                f"{self._lake.name} is not empty: name another place, or replace its parts at the "
                "end with overwrite=True"
            )
        if others := [name for name in data if there[name] or not is_part(name)]:
            raise ConfigurationError(
                f"{self._lake.name} has something that no refresh has made, {others[0]!r}: name "
                "another place, since a reader would take both for one"
            )

    def _keep(self, parts: int) -> None:
        kept = set(part_names(parts))
        there = self._lake.names(self._folder)
        own = self._folder.rpartition("/")[2]
        for name in self._lake.names(_UNFINISHED):
            if name != own:
                self._lake.remove_folder(f"{_UNFINISHED}/{name}")
        self._lake.remove(f"{self._folder}/{name}" for name in there if name not in kept)
        self._check(kept.intersection(there), parts)

    def _move(self, names: set[str]) -> None:
        unmoved = names.intersection(self._lake.names(self._folder))
        if unmoved == names:  # nothing of what is there is ours alone
            self._lake.remove([SUCCESS])
            self._lake.remove(self._parts())
        self._lake.move(unmoved, self._folder, self.patience)

    def _parts(self) -> list[str]:
        return [name for name in self._lake.names() if is_part(name)]

    def _drop_unfinished(self) -> None:
        if _UNFINISHED in self._lake.names():
            self._lake.remove_folder(_UNFINISHED)

    def _check(self, there: Any, parts: int) -> None:
        with self._lake.explained():
            check_parts(there, parts)


def _named(claim: LakeClaim, mine: LakeClaim) -> str:
    if not claim.run:
        return "a run that is not known here: look into it"
    if claim.run == mine.run:
        return f"the run {claim.run} as it was begun with a state that is not here: name its folder"
    return f"the unfinished run {claim.run}: repeat that run's command to go on with it"
