"""A real HTTP server that speaks the documented protocol, to develop and test against.

It is strict about requests, exact about replies, and misbehaves on demand. It shares no code with
the client's codec, so that a mistake in one is not hidden by the same mistake in the other.
"""

from altcraft_balance.sandbox.faults import FAULTS
from altcraft_balance.sandbox.members import Points
from altcraft_balance.sandbox.programs import PointsCurrency
from altcraft_balance.sandbox.server import Sandbox

__all__ = ["FAULTS", "Points", "PointsCurrency", "Sandbox"]
