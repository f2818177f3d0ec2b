"""How far a run has come before this process, and where that is kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.files.claim import owner_of
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.state.checkpoint import Checkpoint, NoCheckpoint
from altcraft_balance.refresh.state.folder import ROWS, RunFolder, drop_run
from altcraft_balance.refresh.state.port import RunState
from altcraft_balance.refresh.state.row_spool import FileSpool, RowSpool

__all__ = ["Standing"]

_ALL: Final = 2**62  # more rows than any source has


class Standing:
    """A run's folder and its checkpoint, if its output can be taken up again.

    Args:
        desk: where it is all done.
        stack: lets go of everything at the end.
        fresh: what an earlier process did does not count.

    Attributes:
        has_begun: the run has its outputs: until it has finished, it can go on.
        checkpoint: what is known for certain; open after `open`.
        known: what an earlier process knew; empty when the run is new.
        claim: the run's word for its outputs. A fresh run keeps it, so that it may be killed
            before the outputs are its own.
    """

    def __init__(self, desk: Desk, stack: AsyncExitStack, *, fresh: bool) -> None:
        self._desk, self._stack, self._fresh = desk, stack, fresh
        self._folder: RunState | None = None
        self._leaves_nothing = False
        self.has_begun = False
        self.checkpoint: Checkpoint = NoCheckpoint()
        self.known: Mapping[str, Any] = {}
        self.claim = ""

    async def lock(self, state: Path | None, run_id: str, sinks: Sinks) -> None:
        """Take the run's state: where a sink keeps it, or a folder in `state` or beside the output.

        A run whose outputs cannot be taken up again has none.
        """
        if (keeper := sinks.keeper) is not None:
            if state is not None:
                raise ConfigurationError("state cannot be given: it lies in the sink's database")
            self._folder = await self._desk.call(keeper.run_state, run_id)
        elif (state := state or sinks.usual_state) is not None:
            self._folder = await self._desk.call(RunFolder, state, run_id)
        if self._folder is None:
            return
        self._stack.push_async_callback(self._desk.call, self._folder.let_go)
        if self._fresh:
            await self.forget_end()
            if state is not None and sinks.path is not None:
                # The run whose output is taken over cannot go on.
                owner = await self._desk.call(owner_of, sinks.path)
                await self._desk.call(drop_run, state, owner)

    async def forget_end(self) -> None:
        """It has not finished: it begins anew."""
        if self._folder is not None:
            await self._desk.call(self._folder.forget_end)

    async def end(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """What the run was and what came of it, if it has finished before.

        Raises:
            ConfigurationError: what says so cannot be read.
        """
        if self._folder is None:
            return None
        finished: Mapping[str, Any] | None = await self._desk.call(self._folder.finished)
        if finished is None:
            return None
        try:
            return finished["facts"], finished["summary"]
        except KeyError:
            pass
        raise self.of_another_version()

    def of_another_version(self) -> ConfigurationError:
        """The error for what says of a finished run what this release does not know."""
        where = "" if self._folder is None else self._folder.where
        return ConfigurationError(
            f"what {where} says of a finished run is of another version, or damaged: forget it "
            "with fresh=True"
        )

    async def tidy(self) -> None:
        """The run has finished before: whatever a crash has left of it goes."""
        if self._folder is not None:
            await self._desk.call(self._folder.tidy)

    async def open(self) -> None:
        """Open the checkpoint, and learn what it knows."""
        if self._folder is None:
            return
        self._stack.push_async_callback(self._forget_unbegun, self._folder)
        self.checkpoint = await self._opened(self._folder)
        self._stack.push_async_callback(self._desk.call, self.checkpoint.close)
        known: Mapping[str, Any] = await self._desk.call(self.checkpoint.known)
        self.claim = known.get("claim") or secrets.token_hex(8)
        self.known = {} if self._fresh else known
        self.has_begun, self._leaves_nothing = bool(self.known), not self.known

    async def begin(self, facts: Mapping[str, Any]) -> None:
        """Keep what a new run is."""
        if not self.known:
            if self._folder is not None:  # rows that are there are of a run that was dropped
                await self._desk.call((await self._desk.call(self._folder.spool)).forget)
            await self._desk.call(self.checkpoint.commit, facts, [], _ALL)

    async def spool(self) -> RowSpool:
        """Where the rows of a source lie that is read once: gone with a run without a state."""
        if self._folder is not None:
            spool: RowSpool = await self._desk.call(self._folder.spool)
            return spool
        folder = await self._desk.call(TemporaryDirectory, None, "altcraft-balance-")
        self._stack.push_async_callback(self._desk.call, folder.cleanup)
        return FileSpool(Path(folder.name) / ROWS)

    def has_outputs(self) -> None:
        """From now on the run can go on."""
        self.has_begun, self._leaves_nothing = True, False

    async def finish(self, facts: Mapping[str, Any]) -> None:
        """The run has finished: keep `facts`, and nothing else."""
        if self._folder is not None:
            await self._desk.call(self._folder.finish, facts)

    async def empty(self, facts: Mapping[str, Any]) -> None:
        """Nothing is in the outputs: said before they go, since a crash would miss what is gone."""
        await self._desk.call(self.checkpoint.commit, {**facts, "outputs": []}, [], _ALL)

    async def drop(self) -> None:
        """The run never was."""
        if self._folder is not None:
            await self._desk.call(self._folder.drop)
        self.has_begun = False

    async def _opened(self, folder: RunState) -> Checkpoint:
        try:
            checkpoint: Checkpoint = await self._desk.call(folder.checkpoint)
        except ConfigurationError:  # it cannot be read
            if not self._fresh:
                raise
            await self._desk.call(folder.drop)
            checkpoint = await self._desk.call(folder.checkpoint)
        return checkpoint

    async def _forget_unbegun(self, folder: RunState) -> None:
        """A new run that got no output leaves nothing; what is unread is not new."""
        if self._leaves_nothing:
            with suppress(ConnectionError):  # what ended the run is said, not this
                await self._desk.call(folder.drop)
