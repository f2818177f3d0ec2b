"""For the tests of programs that use this package.

pytest has the fixtures `altcraft_sandbox` and `balance_client` as soon as the package is installed
(`testing.plugin`). Without a server: `ScriptedTransport`, a transport in memory with replies that
the test writes. `TurnedLoop` is an event loop whose time the test turns by hand.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from altcraft_balance.testing.clock import TurnedLoop as TurnedLoop
    from altcraft_balance.testing.clock import turn as turn
    from altcraft_balance.testing.transport import ScriptedTransport as ScriptedTransport
    from altcraft_balance.testing.transport import Sent as Sent
    from altcraft_balance.testing.transport import answers as answers
    from altcraft_balance.testing.transport import fails as fails
    from altcraft_balance.testing.transport import refuses as refuses

_HOME: Final = {
    **dict.fromkeys(("TurnedLoop", "turn"), "clock"),
    **dict.fromkeys(("ScriptedTransport", "Sent", "answers", "fails", "refuses"), "transport"),
}
__all__ = [*sorted(_HOME)]  # pyright: ignore[reportUnsupportedDunderAll]

if not TYPE_CHECKING:
    # pytest imports this package before it starts anything, so it must cost nothing.

    def __getattr__(name: str) -> object:
        """Import what a public name stands for, the first time the name is used."""
        from importlib import import_module

        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """The public names, loaded or not."""
        return list(__all__)
