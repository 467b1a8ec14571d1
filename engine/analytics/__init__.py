"""Rollups that reports read."""
