"""A run of ``refresh``: it is done, told of, stopped by signals, and judged at its end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from attrs import evolve, frozen

from altcraft_balance.cli.exits import CannotWrite, ExitCode
from altcraft_balance.cli.kept_summary import Kept
from altcraft_balance.cli.night_options import announced
from altcraft_balance.cli.places import Places
from altcraft_balance.cli.refresh_options import CALLED, Told
from altcraft_balance.cli.refresh_progress import Teller, telling
from altcraft_balance.cli.show import harmless, rows, say_error, screen, silence
from altcraft_balance.cli.stopping import run_until_signal
from altcraft_balance.cli.summary_table import described, rows_done
from altcraft_balance.client import BalanceClient
from altcraft_balance.refresh.night import Night
from altcraft_balance.refresh.options import RunOptions
from altcraft_balance.refresh.port import RowSource
from altcraft_balance.refresh.rows.limits import MaxFailed
from altcraft_balance.refresh.rows.plan import Asking
from altcraft_balance.refresh.run import Run
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.sql.trouble import DatabaseAway
from altcraft_balance.refresh.summary import RefreshSummary
from altcraft_balance.wording import renamed

__all__ = ["Refresh"]

_GRACE_S = 10.0
_STOPPING = (
    "Stopping: nothing more is asked, and what is on the way has up to 10 s; once more stops at "
    "once."
)
_NO_READER = "the reader of standard output has left"
_NO_CHECKPOINT = "Standard output has no checkpoint: a run that is stopped begins anew."


@frozen(kw_only=True)
class Refresh:
    """What is to be done.

    Attributes:
        told: what the command was told.
        places: where rows go.
        source: where they come from.
        asking: what is asked about a row.
        client: who asks; it is not open yet.
        kept: is given the summary, however it ends.
        night: when it has to stop.
    """

    told: Told
    places: Places
    source: RowSource
    asking: Asking
    client: BalanceClient
    kept: Kept
    night: Night

    def do(self) -> ExitCode:
        """Do it, show what came of it, and give the exit code.

        Raises:
            Stopped: a second signal came.
            CannotWrite: a file, or the state, cannot be written.
            DatabaseAway: a database cannot be reached, or was away for too long.
            AltcraftBalanceError: the run, or its client, cannot go on.
        """
        try:
            summary = self._summary()
        except BrokenPipeError:  # the reader of the output has left
            silence(sys.stdout)
            self.kept.summary = evolve(self.kept.summary, state="stopped", reason=_NO_READER)
            return ExitCode.STOPPED
        except DatabaseAway:
            raise
        except OSError as error:
            trouble = error.strerror or type(error).__name__
        else:
            return self._judged(summary)
        raise CannotWrite(trouble)

    def _summary(self) -> RefreshSummary:
        with telling(screen(stderr=True), self.told.progress) as teller:
            if self.places.files.writes_standard_output and self.told.progress != "off":
                teller.say(_NO_CHECKPOINT)
            if self.told.progress != "off":
                for sentence in announced(self.night, self.client.settings):
                    teller.say(sentence)
            run = self._run(teller)
            try:
                summary = run_until_signal(self._do(run), gently=partial(_stop, run, teller))
            finally:
                self.kept.summary = run.summary()
                self.kept.goes_on = run.has_begun and not self.kept.summary.is_finished
            if summary.run_id:
                teller.tell(summary, self.client.stats(), last=True)
        return summary

    def _run(self, teller: Teller) -> Run:
        told, client, sink = self.told, self.client, self.places.databases.sink
        if sink is not None:
            sink.tell = teller.say
        state = (
            None if told.state is None or self.places.files.writes_standard_output else told.state
        )
        options = RunOptions(
            run_id=told.run_id,
            state=None if state is None else Path(state),
            fresh=told.fresh,
            give_up=told.finish,
            max_failed=MaxFailed.read(told.max_failed),
            grace_s=_GRACE_S,
            night=self.night,
            on_progress=lambda summary: teller.tell(summary, client.stats()),
            # A wrong host is said at once; who asks nothing needs no connection.
            ready=partial(client.open, warm=0 if told.finish else 1),
            tell=_unsaid if told.progress == "off" else teller.say,
        )
        return Run(self.source, self.places.sinks, client, self.asking, options)

    async def _do(self, run: Run) -> RefreshSummary:
        try:
            return await run.do()
        finally:
            await self.client.aclose(grace_s=0)

    # ── at the end ───────────────────────────────────────────────────────────────────────────

    def _judged(self, summary: RefreshSummary) -> ExitCode:
        if summary.state == "finished_before":
            said = _finished_before(summary, self.places.sinks)
            screen().print(harmless(said), soft_wrap=True)
            return ExitCode.DONE if summary.is_within_max_failed else ExitCode.FAILURES
        if not summary.run_id:  # a signal came while the input was read for the first time
            why = renamed(summary.reason, CALLED)
            say_error(f"stopped before anything was asked{f': {why}' if why else ''}")
            return ExitCode.STOPPED
        on_stderr = self.places.files.writes_standard_output
        if not (on_stderr and self.told.progress == "json"):  # which has had it all
            screen(stderr=on_stderr).print(rows(described(summary)))
        code, sentence = _verdict(summary)
        if sentence:
            say_error(sentence)
        return code


def _stop(run: Run, teller: Teller) -> None:
    teller.say(_STOPPING)
    run.stop()


def _verdict(summary: RefreshSummary) -> tuple[ExitCode, str]:
    """The exit code, and what there is to say about it."""
    reason = renamed(summary.reason, CALLED)
    if summary.state == "same_error":
        return ExitCode.REFUSED, reason
    if summary.state == "too_many_failed":
        return ExitCode.FAILURES, reason
    if summary.state == "stopped":
        again = "run the same command again to go on" if summary.output else "it begins anew"
        since = f", since {reason}" if reason else ""
        return ExitCode.STOPPED, f"stopped at {rows_done(summary)} rows{since}: {again}"
    if not summary.is_within_max_failed:
        allowed = summary.settings["max_failed"]
        return ExitCode.FAILURES, f"more failed than --max-failed allows ({allowed})"
    return ExitCode.DONE, ""


def _finished_before(summary: RefreshSummary, sinks: Sinks) -> str:
    """The sentence for it; a table needs nobody's leave to be written again."""
    at = summary.finished_at or summary.started_at
    there = sinks.path is None or sinks.path.exists()
    in_the_way = there and any(sink.path or sink.url for sink in sinks.outputs)
    lies = f"{summary.output} has" if there else f"{summary.output}, which has gone, had"
    return (
        f"Nothing was sent: the run {summary.run_id} has finished before, on "
        f"{at:%Y-%m-%d %H:%M UTC}, and {lies} its rows; to ask anew, add --fresh"
        f"{' --overwrite' if in_the_way else ''}, or give another --run-id."
    )


def _unsaid(_: str) -> None:
    """It was not asked for."""
