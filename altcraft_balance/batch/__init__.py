"""Many lookups: a lazy source, fixed workers, back-pressure, outcomes as values."""
