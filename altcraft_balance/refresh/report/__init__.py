"""A page for people, made from a run's summary: what came of it, and why it was slow."""
