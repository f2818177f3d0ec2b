"""Everything that a run writes to: its outputs, those rows that failed, and those that changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.paths import usual_state_of
from altcraft_balance.refresh.port import RowSink
from altcraft_balance.refresh.rows.delta import Previous
from altcraft_balance.refresh.state.port import KeepsState

__all__ = ["Sinks"]


@frozen(kw_only=True)
class Sinks:
    """Where rows go.

    Attributes:
        outputs: get a row for each answer; one at least.
        errors_to: gets the rows of the source that had no success.
        changes_to: gets the answers whose amounts differ from those of `previous`.
        previous: knows the amounts of the run before.
    """

    outputs: tuple[RowSink, ...]
    errors_to: RowSink | None = None
    changes_to: RowSink | None = None
    previous: Previous | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.outputs:
            raise ConfigurationError("sink must be one, or a list of one at least")
        if len(self._keepers()) > 1:
            raise ConfigurationError("sink may name one database: the run's state lies in it")
        if self.changes_to is not None and self.previous is None:
            raise ConfigurationError(
                "changes_to needs something to compare with: give previous, or a SqlSink"
            )
        if self.previous is not None and self.previous.key != self.key:
            raise ConfigurationError("previous must know its rows by the key of the sink's")

    @classmethod
    def of(
        cls,
        sink: RowSink | Sequence[RowSink],
        *,
        errors_to: RowSink | None = None,
        changes_to: RowSink | None = None,
        previous: Previous | None = None,
    ) -> Sinks:
        """One sink, or several; with `changes_to`, a table among them is what came before."""
        outputs = tuple(sink) if isinstance(sink, Sequence) else (sink,)
        if changes_to is None:
            previous = None
        elif previous is None:
            previous = next((s.previous for s in outputs if isinstance(s, KeepsState)), None)
        return cls(outputs=outputs, errors_to=errors_to, changes_to=changes_to, previous=previous)

    def named(self) -> Mapping[str, RowSink]:
        """All of them, by what they are for."""
        names = [
            "sink" if number == 1 else f"sink {number}"
            for number in range(1, len(self.outputs) + 1)
        ]
        others = {"errors_to": self.errors_to, "changes_to": self.changes_to}
        return {
            **dict(zip(names, self.outputs, strict=True)),
            **{name: sink for name, sink in others.items() if sink is not None},
        }

    @property
    def path(self) -> Path | None:
        """The first output that is a file: beside it lies the run's state."""
        return next((sink.path for sink in self.outputs if sink.path is not None), None)

    @property
    def usual_state(self) -> Path | None:
        """Where the run's state lies that is told no place; None: there is none."""
        # A file first: what is on this machine is found again.
        by_place = sorted(self.outputs, key=lambda sink: sink.path is None)
        return next(filter(None, map(usual_state_of, by_place)), None)

    @property
    def name(self) -> str:
        """What people call the outputs; "" for such as have no name."""
        return ", ".join(filter(None, map(_named, self.outputs)))

    @property
    def keeper(self) -> KeepsState | None:
        """The output that keeps the run's state itself, beside its rows."""
        return next(iter(self._keepers()), None)

    @property
    def key(self) -> str | None:
        """The column by which rows are known; None: the member's."""
        if (keeper := self.keeper) is not None:
            return keeper.key
        return None if self.previous is None else self.previous.key

    @property
    def knows_rows(self) -> bool:
        """Whether an output has one row for a key, however often it is written."""
        return bool(self._keepers())

    def refusal(self) -> Callable[[str], str | None] | None:
        """What says why an amount cannot be kept; None when all can."""
        asked = [sink.refuses for sink in self.outputs]
        asked = [refuses for refuses in asked if getattr(refuses, "__func__", None) is not _NEVER]
        if len(asked) < 2:
            return asked[0] if asked else None
        return lambda amount: next(filter(None, (refuses(amount) for refuses in asked)), None)

    def hurry(self, seconds: float) -> None:
        """The run is ending: who waits for something may wait no longer than `seconds`."""
        for sink in self.named().values():
            if (hurry := getattr(sink, "hurry", None)) is not None:
                hurry(seconds)

    def _keepers(self) -> list[KeepsState]:
        return [sink for sink in self.outputs if isinstance(sink, KeepsState)]


_NEVER = RowSink.refuses


def _named(sink: RowSink) -> str:
    path = "" if sink.path is None else str(sink.path)
    return str(getattr(sink, "name", "") or sink.url or path)
