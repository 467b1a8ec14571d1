"""Incoming mail: replies and automatic answers."""
