"""One run: what is read is asked, what is answered is written, and a crash loses none of it.

The order of things, so that a process may die at any point: the checkpoint says what the run is;
the outputs are claimed; then block after block is written, made durable, and only then committed;
at the end the checkpoint says that all is there, each output gets its name, and what says that the
run has finished takes the checkpoint's place. Whoever goes on does the next thing in this order.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from altcraft_balance.client import BalanceClient
from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.files.claim import owner_of
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.outputs import Output, opened, rows_of, troubled_row
from altcraft_balance.refresh.paths import check_paths
from altcraft_balance.refresh.port import Column, RowSink, RowSource, SourceInfo
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.plan import Asking, Plan
from altcraft_balance.refresh.state.checkpoint import Checkpoint, NoCheckpoint
from altcraft_balance.refresh.state.folder import RunFolder, drop_run, usual_state
from altcraft_balance.refresh.state.identity import Identity
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.refresh.watch import RunWatch
from altcraft_balance.refresh.work import Work

__all__ = ["Run", "RunOptions"]

_ALL: Final = 2**62  # more rows than any source has


@frozen(kw_only=True)
class RunOptions:
    """How a run is done; `refresh_balances` says what each means."""

    run_id: str | None = None
    state: Path | None = None
    fresh: bool = False
    give_up: bool = False
    max_failed: MaxFailed = field(factory=MaxFailed)
    grace_s: float = 10.0
    on_progress: Callable[[RefreshSummary], object] | None = None
    #: Is awaited when it is certain that there is something to ask, and before anything is made.
    ready: Callable[[], Awaitable[object]] | None = None


class Run:
    """One run of one process; `do` it once.

    Args:
        source: where rows come from.
        sink: where they go.
        client: who asks; it is open.
        asking: what is asked about a row.
        options: how.
        errors_to: where those rows of the source go that had no success.

    Attributes:
        has_begun: it has its outputs: until it has finished, it can go on.
    """

    def __init__(
        self,
        source: RowSource,
        sink: RowSink,
        client: BalanceClient,
        asking: Asking,
        options: RunOptions,
        errors_to: RowSink | None = None,
    ) -> None:
        self._source, self._sink, self._errors_to = source, sink, errors_to
        self._client, self._asking, self._options = client, asking, options
        self._desk = Desk()
        self._watch = RunWatch(client, options.max_failed, options.on_progress)
        self._work: Work | None = None
        self._is_stopped = self.has_begun = self._leaves_nothing = False

    def stop(self) -> None:
        """Take nothing more; what is asked already has `grace_s` seconds to be answered."""
        self._is_stopped = True
        self._watch.ends("stopped")
        if self._work is not None:
            self._work.stop()
        elif (interrupt := getattr(self._source, "interrupt", None)) is not None:
            interrupt()  # it is being read for the first time, which may take minutes

    def summary(self) -> RefreshSummary:
        """What has come of it so far."""
        return self._watch.summary()

    async def do(self) -> RefreshSummary:
        """Do it, or what is left of it.

        Raises:
            ConfigurationError: input, output or settings cannot be what they are.
            OSError: the disk does not do what it should; the run goes on when it does.
            AltcraftBalanceError: a fatal answer; the run goes on when its reason is gone.
        """
        try:
            async with AsyncExitStack() as stack:
                stack.callback(self._desk.close)
                await self._do(stack)
        except Interrupted:
            pass  # as it was asked to
        except BaseException as error:
            self._watch.broken_by(error)
            raise
        return self._watch.summary()

    # ── the order of things ──────────────────────────────────────────────────────────────────

    async def _do(self, stack: AsyncExitStack) -> None:
        check_paths(self._source, {"sink": self._sink, "errors_to": self._errors_to})
        if self._is_stopped:
            return
        info: SourceInfo = await self._desk.call(self._source.describe)
        if self._is_stopped:
            return
        plan = self._plan(info)
        identity = self._identity(info)
        self._watch.describe(identity, info, self._sink.path)
        folder = await self._folder(stack, identity)
        if folder is not None and await self._has_finished(folder, identity, info):
            return
        if self._options.ready is not None:
            await self._options.ready()
        checkpoint = await self._checkpoint(stack, folder)
        known, claim = await self._known(checkpoint)
        self.has_begun, self._leaves_nothing = bool(known), not known
        if known:
            identity.check(known["facts"], info.name)
        self._watch.take_up(known)
        facts = {"facts": identity.facts, "summary": self._watch.kept(), "claim": claim}
        if not known:
            await self._desk.call(checkpoint.commit, facts, [], _ALL)
        outputs = await self._outputs(stack, info, plan, {**known, **facts})
        self.has_begun, self._leaves_nothing = True, False
        if known.get("is_whole") or await self._ask(stack, plan, outputs, checkpoint, facts):
            await self._finish(outputs, folder, identity)
        elif self._watch.was_in_vain:
            await self._discard(outputs, folder, checkpoint, facts)

    def _plan(self, info: SourceInfo) -> Plan:
        client = self._client.settings
        return Plan(self._asking, info, currency=client.currency, program=client.loyalty_program_id)

    def _identity(self, info: SourceInfo) -> Identity:
        sinks = {"output": self._sink, "errors_to": self._errors_to}
        return Identity.of(self._options.run_id, info, self._asking, sinks, self._client.settings)

    async def _folder(self, stack: AsyncExitStack, identity: Identity) -> RunFolder | None:
        """The run's folder; None when the output cannot be taken up again."""
        state = self._options.state
        if state is None:
            if self._sink.path is None:
                return None
            state = usual_state(self._sink.path)
        folder: RunFolder = await self._desk.call(RunFolder, state, identity.run_id)
        stack.push_async_callback(self._desk.call, folder.let_go)
        if self._options.fresh:
            await self._desk.call(folder.forget_end)
            if self._sink.path is not None:  # the run whose output is taken over cannot go on
                await self._desk.call(drop_run, state, owner_of(self._sink.path))
        return folder

    async def _has_finished(self, folder: RunFolder, identity: Identity, info: SourceInfo) -> bool:
        finished: Mapping[str, Any] | None = await self._desk.call(folder.finished)
        if finished is None:
            return False
        try:
            facts = finished["facts"]
            self._watch.finished_before(finished["summary"])
        except (KeyError, TypeError, ValueError):
            facts = None
        if facts is None:
            raise ConfigurationError(
                f"what {folder.path} says of a finished run is of another version, or damaged: "
                "forget it with fresh=True"
            )
        identity.check(facts, info.name, word="finished")
        await self._desk.call(folder.tidy)
        return True

    async def _checkpoint(self, stack: AsyncExitStack, folder: RunFolder | None) -> Checkpoint:
        if folder is None:
            return NoCheckpoint()
        stack.push_async_callback(self._forget_unbegun, folder)
        try:
            checkpoint: Checkpoint = await self._desk.call(folder.checkpoint)
        except ConfigurationError:  # it cannot be read
            if not self._options.fresh:
                raise
            await self._desk.call(folder.drop)
            checkpoint = await self._desk.call(folder.checkpoint)
        stack.push_async_callback(self._desk.call, checkpoint.close)
        return checkpoint

    async def _known(self, checkpoint: Checkpoint) -> tuple[Mapping[str, Any], str]:
        """What an earlier process knew, and the run's word for its outputs.

        A fresh run keeps that word: so it may be killed before the outputs are its own.
        """
        known: Mapping[str, Any] = await self._desk.call(checkpoint.known)
        claim = known.get("claim") or secrets.token_hex(8)
        if isinstance(checkpoint, NoCheckpoint):
            claim = ""
        return ({} if self._options.fresh else known), claim

    async def _forget_unbegun(self, folder: RunFolder) -> None:
        """A new run that got no output leaves nothing; what is unread is not new."""
        if self._leaves_nothing:
            await self._desk.call(folder.drop)

    async def _outputs(
        self,
        stack: AsyncExitStack,
        info: SourceInfo,
        plan: Plan,
        known: Mapping[str, Any],
    ) -> list[Output]:
        """Both outputs, open, each after what it has for certain."""
        wanted = [(Output(self._desk, self._sink, rows_of(plan)), plan.columns)]
        if self._errors_to is not None:
            columns = tuple(Column(name, info.types.get(name, "text")) for name in info.columns)
            wanted.append((Output(self._desk, self._errors_to, troubled_row), columns))
        run_id, fresh = self._watch.run_id, self._options.fresh
        return await opened(stack, wanted, known, run_id=run_id, fresh=fresh, claim=known["claim"])

    async def _ask(
        self,
        stack: AsyncExitStack,
        plan: Plan,
        outputs: Sequence[Output],
        checkpoint: Checkpoint,
        facts: dict[str, Any],
    ) -> bool:
        """Whether everything was asked and is durable."""
        options = self._options
        self._work = Work(
            self._desk,
            self._client,
            self._source,
            plan,
            self._sink,
            outputs,
            checkpoint,
            self._watch,
            facts=facts,
            max_failed=options.max_failed,
            gives_up=options.give_up,
            grace_s=options.grace_s,
        )
        stack.push_async_callback(self._work.close)
        if self._is_stopped:
            self._work.stop()
        return await self._work.do()

    async def _finish(
        self, outputs: Sequence[Output], folder: RunFolder | None, identity: Identity
    ) -> None:
        # The errors first: whoever sees the output has them.
        for output in reversed(outputs):
            await output.finish()
        self._watch.has_finished()
        if folder is not None:
            finished = {"facts": identity.facts, "summary": self._watch.kept()}
            await self._desk.call(folder.finish, finished)

    async def _discard(
        self,
        outputs: Sequence[Output],
        folder: RunFolder | None,
        checkpoint: Checkpoint,
        facts: dict[str, Any],
    ) -> None:
        """Nothing was found, and nothing will be: the next run need not know of this one."""
        # First that nothing is in the outputs: a crash in between would miss what is gone.
        await self._desk.call(checkpoint.commit, {**facts, "outputs": []}, [], _ALL)
        for output in outputs:
            await output.discard()
        if folder is not None:
            await self._desk.call(folder.drop)
        self.has_begun = False
