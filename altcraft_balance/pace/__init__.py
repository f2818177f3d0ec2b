"""Stores of a rate that several processes share."""
