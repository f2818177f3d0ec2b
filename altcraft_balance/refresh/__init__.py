"""Bulk jobs: rows of a source are looked up, and each becomes a row of a sink; none is lost."""
