"""The names of a run's record files, shared by those who write them and those who read them."""

TABLES = ("epochs", "lookups", "timing")
"""Parquet files of a finished run; `timing` is the one that differs between equal runs."""
