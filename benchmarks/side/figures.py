"""Medians and quartiles, and how ratios are formed: within a round, then the median of rounds."""

import statistics
from collections.abc import Sequence

from attrs import asdict, frozen


@frozen
class Spread:
    """The median of some runs and the quartiles around it."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Spread":
        """In another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def spread(runs: Sequence[float]) -> Spread:
    """Of at least one run; with a single one all three are the same."""
    if len(runs) == 1:
        return Spread(runs[0], runs[0], runs[0])
    low, middle, high = statistics.quantiles(runs, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratio(upper: Sequence[float | None], lower: Sequence[float | None]) -> Spread | None:
    """How many times `lower` is `upper`, both measured in the same rounds; None for neither."""
    pairs = zip(upper, lower, strict=True)
    both = [one / other for one, other in pairs if one is not None and other]
    return spread(both) if both else None
