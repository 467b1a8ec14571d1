"""Rollups: the counts that reports read."""
