"""Installations, receivers and load generators that the benchmarks use."""
