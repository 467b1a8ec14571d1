"""Benchmarks.

Each prints a table and one JSON line per figure; figures are ratios within one run, never a lone time.
"""
