"""Pace: how fast mail may leave, shared by all sending processes through Redis, smooth rather than in bursts."""
