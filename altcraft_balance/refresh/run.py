"""One run: what is read is asked, what is answered is written, and a crash loses none of it.

The order of things, so that a process may die at any point: the checkpoint says what the run is;
the outputs are claimed; then block after block is written, made durable, and only then committed;
at the end the checkpoint says that all is there, each output gets its name, and what says that the
run has finished takes the checkpoint's place. Whoever goes on does the next thing in this order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from altcraft_balance.client import BalanceClient
from altcraft_balance.refresh.desk import Desk
from altcraft_balance.refresh.files.file_source import Interrupted
from altcraft_balance.refresh.options import RunOptions
from altcraft_balance.refresh.outputs import Output, opened, outputs_of
from altcraft_balance.refresh.paths import check_paths, read_by
from altcraft_balance.refresh.port import RowSource, SourceInfo
from altcraft_balance.refresh.rows.plan import Asking, Plan
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.spooled import Spooled
from altcraft_balance.refresh.standing import Standing
from altcraft_balance.refresh.state.identity import Identity
from altcraft_balance.refresh.subject import Subject
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.refresh.watch import RunWatch
from altcraft_balance.refresh.work import Work

__all__ = ["Run"]


class Run:
    """One run of one process; `do` it once.

    Args:
        source: where rows come from.
        sinks: where they go.
        client: who asks; it is open.
        asking: what is asked about a row.
        options: how.
    """

    def __init__(
        self,
        source: RowSource,
        sinks: Sinks,
        client: BalanceClient,
        asking: Asking,
        options: RunOptions,
    ) -> None:
        self._source, self._sinks = source, sinks
        self._client, self._asking, self._options = client, asking, options
        self._desk = Desk()
        self._watch = RunWatch(
            client, options.max_failed, options.on_progress, options.night.settings
        )
        self._work: Work | None = None
        self._standing: Standing | None = None
        self._is_stopped = False

    @property
    def has_begun(self) -> bool:
        """Whether it has its outputs: until it has finished, it can go on."""
        return self._standing is not None and self._standing.has_begun

    def stop(self, reason: str = "") -> None:
        """Take nothing more; what is asked already has `grace_s` seconds to be answered."""
        self._is_stopped = True
        self._watch.ends("stopped", reason)
        if self._work is not None:
            self._work.stop()
            return
        # One may wait for its database; or they are being read for the first time, which may take
        # minutes.
        self._sinks.hurry(self._options.grace_s)
        if (interrupt := getattr(self._source, "interrupt", None)) is not None:
            interrupt()
        if self._sinks.previous is not None:
            self._sinks.previous.interrupt()

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
                stack.enter_context(self._options.night.ending(self.stop))
                await self._do_hurried(stack)
        except Interrupted:
            pass  # as it was asked to
        except BaseException as error:
            self._watch.broken_by(error)
            raise
        return self._watch.summary()

    # ── the order of things ──────────────────────────────────────────────────────────────────

    async def _do_hurried(self, stack: AsyncExitStack) -> None:
        """`_do`; when that fails, nothing that is cleaned up after it is waited for any longer."""
        try:
            await self._do(stack)
        except BaseException:
            self._sinks.hurry(0.0)
            raise

    async def _do(self, stack: AsyncExitStack) -> None:
        read = read_by(self._source, self._sinks.previous)
        save_bad = self._client.settings.save_bad
        kept = {"state": self._options.state, "save_bad": save_bad and Path(save_bad)}
        await self._desk.call(check_paths, read, self._sinks.named(), kept)
        if self._is_stopped:
            return
        info: SourceInfo = await self._desk.call(self._source.describe)
        previous = self._sinks.previous
        if previous is not None:
            await self._desk.call(previous.describe)
        if self._is_stopped:
            return
        subject = self._subject(info)
        identity = subject.identity
        self._watch.describe(identity, info, self._sinks.name)
        standing = self._standing = Standing(self._desk, stack, fresh=self._options.fresh)
        await standing.lock(self._options.state, identity.run_id, self._sinks)
        if await self._has_finished(standing, subject):
            return
        if self._options.ready is not None:
            await self._options.ready()
        await standing.open()
        if standing.known:
            identity.check(standing.known["facts"], info.name)
        self._watch.take_up(standing.known)
        facts = {
            "facts": identity.facts,
            "summary": self._watch.kept(),
            "claim": standing.claim,
        }
        await standing.begin(facts)
        known = {**standing.known, **facts}
        if info.is_live:
            await self._spool(stack, info, standing)
            facts["summary"] = self._watch.kept()  # its total is exact now
        outputs = await self._outputs(stack, subject, known)
        standing.has_outputs()
        if known.get("is_whole") or await self._ask(stack, subject.plan, outputs, standing, facts):
            await self._finish(outputs, standing, identity)
        elif self._watch.was_in_vain:
            await self._discard(outputs, standing, facts)

    async def _spool(self, stack: AsyncExitStack, info: SourceInfo, standing: Standing) -> None:
        """Read a live source once, and go on with what was read."""
        source = Spooled(
            self._desk,
            self._source,
            info,
            await standing.spool(),
            is_stopped=lambda: self._is_stopped,
            tell=self._options.tell,
        )
        stack.push_async_callback(source.close)
        rows = await source.fill(
            is_new=not standing.known, has_answers=bool(standing.known.get("outputs"))
        )
        self._watch.has_total(rows)
        self._source = source

    async def _has_finished(self, standing: Standing, subject: Subject) -> bool:
        if (end := await standing.end()) is None:
            return False
        if subject.info.is_live and self._options.run_id is None:
            await standing.forget_end()  # it has other rows by now
            return False
        facts, summary = end
        if not self._watch.finished_before(summary):
            raise standing.of_another_version()
        subject.identity.check(facts, subject.info.name, word="finished")
        await standing.tidy()
        return True

    def _subject(self, info: SourceInfo) -> Subject:
        settings = self._client.settings
        return Subject.of(info, self._asking, self._sinks, settings, self._options.run_id)

    async def _outputs(
        self, stack: AsyncExitStack, subject: Subject, known: Mapping[str, Any]
    ) -> list[Output]:
        """All outputs, open, each after what it has for certain."""
        if (previous := self._sinks.previous) is not None:
            stack.push_async_callback(self._desk.call, previous.close)
            await self._desk.call(previous.build)
        wanted = outputs_of(self._desk, self._sinks, subject.info, subject.plan)
        run_id, fresh = self._watch.run_id, self._options.fresh
        return await opened(stack, wanted, known, run_id=run_id, fresh=fresh, claim=known["claim"])

    async def _ask(
        self,
        stack: AsyncExitStack,
        plan: Plan,
        outputs: Sequence[Output],
        standing: Standing,
        facts: dict[str, Any],
    ) -> bool:
        """Whether everything was asked and is durable."""
        options = self._options
        self._work = Work(
            self._desk,
            self._client,
            self._source,
            plan,
            self._sinks,
            outputs,
            standing.checkpoint,
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
        self, outputs: Sequence[Output], standing: Standing, identity: Identity
    ) -> None:
        # The errors first: whoever sees the output has them.
        for output in reversed(outputs):
            await self._telling_sinks(output.finish())
        self._watch.has_finished()
        await standing.finish({"facts": identity.facts, "summary": self._watch.kept()})

    async def _telling_sinks(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`; when this is cancelled the sinks hear of it before it is waited for."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._sinks.hurry(0.0)
            await asyncio.gather(task, return_exceptions=True)
            raise

    async def _discard(
        self, outputs: Sequence[Output], standing: Standing, facts: Mapping[str, Any]
    ) -> None:
        """Nothing was found, and nothing will be: the next run need not know of this one."""
        await standing.empty(facts)
        for output in outputs:
            await output.discard()
        await standing.drop()
