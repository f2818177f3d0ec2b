"""What a run is about: what its source has, what is asked of it, and what makes it this run."""

from __future__ import annotations

from attrs import frozen

from altcraft_balance.refresh.port import SourceInfo
from altcraft_balance.refresh.rows.plan import Asking, Plan
from altcraft_balance.refresh.sinks import Sinks
from altcraft_balance.refresh.state.identity import Identity
from altcraft_balance.settings import ClientSettings

__all__ = ["Subject", "plan_of"]


@frozen
class Subject:
    """What is known of a run before it has begun.

    Attributes:
        info: what the source has.
        plan: what is asked about a row.
        identity: the run's name, and all that decides what is in its output.
    """

    info: SourceInfo
    plan: Plan
    identity: Identity

    @classmethod
    def of(
        cls,
        info: SourceInfo,
        asking: Asking,
        sinks: Sinks,
        client: ClientSettings,
        run_id: str | None,
    ) -> Subject:
        """Of a run that its user has called `run_id`, or that is called by what it is.

        Raises:
            ConfigurationError: the source has not what is asked for, or the name is none.
        """
        plan = plan_of(info, asking, sinks, client)
        return cls(info, plan, Identity.of(run_id, info, asking, sinks, client))


def plan_of(info: SourceInfo, asking: Asking, sinks: Sinks, client: ClientSettings) -> Plan:
    """What is asked about the rows of such a source, for these sinks.

    Raises:
        ConfigurationError: the source has not what is asked for.
    """
    return Plan(
        asking,
        info,
        currency=client.currency,
        program=client.loyalty_program_id,
        key=sinks.key,
        is_keyed=sinks.knows_rows,
    )
