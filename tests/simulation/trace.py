"""What happened, line by line, and the hash by which two runs are compared."""

import hashlib
import re

from attrs import fields

#: Fields whose value says enough.
_SPEAK_FOR_THEMSELVES = {"kind", "what", "state"}


class Trace:
    """Lines of time, who, and what.

    Args:
        clock: gives the time, in seconds.
    """

    def __init__(self, clock):
        self._clock, self._lines = clock, []

    def add(self, who, what):
        """Something happened."""
        self._lines.append(f"{self._clock():12.6f}  {who:<6}  {what}")

    def heard(self, event):
        """An event of the client."""
        self.add("client", words_of(event))

    @property
    def lines(self):
        return tuple(self._lines)

    def digest(self):
        """SHA-256 over all lines."""
        return hashlib.sha256("\n".join(self._lines).encode()).hexdigest()


def words_of(event):
    """An event in one short line, whatever its class: what it is of, its name, what it holds."""
    held = {name.name: getattr(event, name.name) for name in fields(type(event))}
    name = re.sub(r"(?<=.)([A-Z])", r" \1", type(event).__name__).lower()
    lookup = held.pop("lookup", None)
    whose = "" if lookup is None else f"#{lookup} "
    said = [_said(key, value) for key, value in held.items() if value is not None]
    return whose + "  ".join([name, *filter(None, said)])


def _said(name, value):
    if name in _SPEAK_FOR_THEMSELVES:
        return str(value)
    if value is False:
        return ""
    if value is True:
        return name.replace("_", " ")
    text = f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if name.endswith("_s") and not name.endswith("_per_s"):
        return f"{name.removesuffix('_s').replace('_', ' ')} {text} s"
    return f"{name.replace('_', ' ')} {text}"
