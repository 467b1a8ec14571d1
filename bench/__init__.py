"""Benchmarks: each prints a table and, a line each, its figures as JSON; ratios within one run, never a lone time."""
