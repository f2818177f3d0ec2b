"""What one look has found."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from altcraft_balance.errors import AltcraftBalanceError

__all__ = ["Finding", "State", "skipped"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


@frozen(kw_only=True)
class Finding:
    """One look's result.

    Attributes:
        check: what was looked at: ``versions``, ``settings``, ``dns``, ``tcp``, ``tls``,
            ``endpoint``, ``token``, ``points`` or ``clock``.
        state: ``ok``; ``warning``: it works, but look; ``failed``; ``skipped``: not looked at.
        says: what was seen, in one line.
        advice: what to do; "" when there is nothing to do.
        error: what a client would raise.
    """

    check: str
    state: State = "ok"
    says: str
    advice: str = ""
    error: AltcraftBalanceError | None = field(default=None, eq=False, repr=False)

    def as_dict(self) -> dict[str, str]:
        """The same for JSON."""
        return {
            "check": self.check,
            "state": self.state,
            "says": self.says,
            "advice": self.advice,
        }


def skipped(check: str, says: str) -> Finding:
    """It was not looked at, and why."""
    return Finding(check=check, state="skipped", says=says)
