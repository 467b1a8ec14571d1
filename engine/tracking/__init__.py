"""Signed tokens and the events they bring in."""
