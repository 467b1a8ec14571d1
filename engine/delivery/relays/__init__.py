"""Relays: one or several mail servers as one way out, with weights, limits and failover."""

from engine.delivery.relays.fleet import Relays
from engine.delivery.relays.plan import Plan

__all__ = ["Plan", "Relays"]
