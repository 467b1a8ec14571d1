"""Relays: one or several mail servers as one way out, with weights, limits and failover."""

from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.config import Plan

__all__ = ["Plan", "Relays"]
