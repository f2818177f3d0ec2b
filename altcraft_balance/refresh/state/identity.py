"""Which run this is: its name, and whether an unfinished one of that name is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from attrs import frozen

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.port import RowSink, SourceInfo
from altcraft_balance.refresh.rows.plan import Asking
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.state.folder import checked_run_id
from altcraft_balance.settings import ClientSettings

__all__ = ["Identity", "question_of"]

_INPUT: Final = "input"
#: What checkpoints have called it from the beginning.
_OUTPUT: Final = {"sink": "output"}


@frozen
class Identity:
    """A run's name, and everything that decides what its output holds.

    Attributes:
        run_id: the name.
        facts: the input's fingerprint and the settings that matter, as plain values.
    """

    run_id: str
    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        run_id: str | None,
        info: SourceInfo,
        asking: Asking,
        sinks: Sinks,
        client: ClientSettings,
    ) -> Identity:
        """Of a run that its user has named, or that is called by what it is."""
        facts = {
            _INPUT: info.fingerprint,
            **question_of(asking, client),
            **{_OUTPUT.get(name, name): _of_sink(sink) for name, sink in sinks.named().items()},
        }
        if sinks.previous is not None:
            facts["previous"] = sinks.previous.fingerprint
        if run_id is not None:
            return cls(checked_run_id(run_id), facts)
        text = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
        return cls(hashlib.blake2b(text, digest_size=6).hexdigest(), facts)

    def check(self, facts: Mapping[str, Any], source: str, *, word: str = "unfinished") -> None:
        """Refuse to go on with an unfinished or finished run that was begun as `facts` say.

        Raises:
            ConfigurationError: it had another input, or other settings.
        """
        changed = [name for name in self.facts if self.facts[name] != facts.get(name)]
        changed += [name for name in facts if name not in self.facts]
        if not changed:
            return
        what = f"other settings ({', '.join(changed)})"
        if _INPUT in changed:
            what = f"other rows: {source} has changed, or is another input"
        raise ConfigurationError(
            f"the {word} run {self.run_id} was begun with {what}; give this one another run_id, or "
            "forget that one with fresh=True"
        )


def question_of(asking: Asking, client: ClientSettings) -> dict[str, Any]:
    """What decides which question is asked about a row, as plain values."""
    return {**_of_asking(asking), **_of_client(client)}


def _of_asking(asking: Asking) -> dict[str, Any]:
    return {
        "by": asking.by if isinstance(asking.by, str) else _called(asking.by),
        "column": asking.column,
        "program_column": asking.program_column,
        "currency_column": asking.currency_column,
        "currencies": [repr(currency) for currency in asking.currencies],
        "keep": asking.keep if isinstance(asking.keep, str) else list(asking.keep),
        "prefix": asking.prefix,
        "with_member": asking.with_member,
    }


def _of_client(client: ClientSettings) -> dict[str, Any]:
    return {
        "base_url": client.url,
        "loyalty_program_id": client.loyalty_program_id,
        "currency": None if client.currency is None else repr(client.currency),
        "not_a_member": sorted(client.not_a_member),
    }


def _of_sink(sink: RowSink) -> list[Any]:
    path = None if sink.path is None else str(sink.path.absolute())
    return [type(sink).__name__, path, dict(sink.settings)]


def _called(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
