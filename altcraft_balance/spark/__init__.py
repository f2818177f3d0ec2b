"""Refreshes on Apache Spark; the extra ``spark``."""

from altcraft_balance.spark.job import refresh_balances

__all__ = ["refresh_balances"]
