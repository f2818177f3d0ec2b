"""What one look has found."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import asdict, field, frozen

__all__ = ["Finding", "State", "skipped"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


@frozen(kw_only=True)
class Finding:
    """One look's result.

    Attributes:
        check: what was looked at: ``versions``, ``dns``, ``tcp``, ``tls``, ``endpoint``,
            ``token``, ``points`` or ``clock``.
        state: ``ok``; ``warning``: it works, but look; ``failed``; ``skipped``: not looked at.
        says: what was seen, in one line.
        advice: what to do; "" when there is nothing to do.
    """

    check: str
    state: State = "ok"
    says: str
    advice: str = field(default="")

    def as_dict(self) -> dict[str, str]:
        """The same for JSON."""
        return asdict(self)


def skipped(check: str, says: str) -> Finding:
    """It was not looked at, and why."""
    return Finding(check=check, state="skipped", says=says)
