"""Relays: one or several mail servers as one transport, with weights, limits and failover."""
