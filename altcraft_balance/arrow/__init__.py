"""Balances for batches of Arrow: for Spark, Ray, polars, duckdb and whatever speaks it."""

from altcraft_balance.arrow.mapper import BalanceMapper, balance_mapper

__all__ = ["BalanceMapper", "balance_mapper"]
