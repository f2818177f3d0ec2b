"""The client for code without an event loop: scripts, notebooks, Celery, Django.

``from altcraft_balance.blocking import BalanceClient``: the same client, whose calls wait. Its
loop runs in a thread of its own. Code that has a loop uses `altcraft_balance.BalanceClient`.
"""

from altcraft_balance.blocking.client import BalanceClient
from altcraft_balance.blocking.outcomes import Outcomes

__all__ = ["BalanceClient", "Outcomes"]
